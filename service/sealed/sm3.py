"""SM3 and HMAC-SM3 (GB/T 32905): with Python's OpenSSL where it has SM3, otherwise with `cryptography`.

Some Linux distributions build OpenSSL without the Chinese algorithms; `cryptography` carries its own.
"""

from __future__ import annotations

import hashlib
import hmac as _hmac
from collections.abc import Iterable

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives import hmac as _crypto_hmac

IN_PYTHON = "sm3" in hashlib.algorithms_available
_NEW = hashlib.new("sm3") if IN_PYTHON else None  # looking the algorithm up by name costs as much as a short hash


def digest(data: bytes) -> bytes:
    """The SM3 hash of `data`, 32 bytes."""
    if _NEW is not None:
        state = _NEW.copy()
        state.update(data)
        return state.digest()
    other = hashes.Hash(hashes.SM3())
    other.update(data)
    return other.finalize()


def hmac(key: bytes, data: bytes) -> bytes:
    """HMAC-SM3 of `data` under a key of any length, 32 bytes."""
    if IN_PYTHON:
        return _hmac.digest(key, data, "sm3")
    return hmac_chunks(key, [data])


def hmac_chunks(key: bytes, pieces: Iterable[bytes | bytearray]) -> bytes:
    """HMAC-SM3 of data given in chunks."""
    state = _hmac.new(key, digestmod="sm3") if IN_PYTHON else _crypto_hmac.HMAC(key, hashes.SM3())
    for piece in pieces:
        state.update(piece)
    return state.digest() if isinstance(state, _hmac.HMAC) else state.finalize()
