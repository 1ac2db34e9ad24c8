"""Parses SM2 ciphertexts in all accepted encodings.

A ciphertext is C1 (a point), C2 (the masked text) and C3 (a hash of point and text). The manual's text says C1C3C2,
its sample code produces C1C2C3, and both occur with or without the 04 that marks an uncompressed point. Only C3
distinguishes them: it does not verify for a wrong order. A third form is the SEQUENCE of GM/T 0009, recognised by its
tag and exact length (CONTRACT D10).
"""

from __future__ import annotations

import hmac
from collections.abc import Iterator
from typing import Protocol

from inkgate.service.sealed import sm3
from inkgate.service.sealed.curve import POINT, on_curve, valid_private
from inkgate.service.sealed.sm2 import der

HASH = 32
MAX_PLAINTEXT_BYTES = 255  # limit of GmSSL; keys are much shorter


class Decryptor(Protocol):
    """The part of a provider that this module needs."""

    def open(self, private: bytes, c1: bytes, rest: bytes) -> bytes | None: ...


def decrypt(provider: Decryptor, private: bytes, ciphertext: bytes) -> bytes | None:
    """The plain text of 1 to 255 bytes, or None when C3 verifies in none of the encodings.

    Raises ValueError when `private` is no private key, which is an error of the caller, not of the ciphertext.
    """
    if not valid_private(private):
        raise ValueError("the SM2 private key is unusable")
    for c1, rest in _ciphertext_forms(ciphertext):
        if not HASH < len(rest) <= HASH + MAX_PLAINTEXT_BYTES or not on_curve(c1):
            continue
        plain = provider.open(private, c1, rest)
        if plain is not None:
            return plain
    return None


def orderings(rest: bytes) -> Iterator[tuple[bytes, bytes]]:
    """(C2, C3) of what follows C1, in the order of the manual's code and in the order of its text."""
    yield rest[:-HASH], rest[-HASH:]
    yield rest[HASH:], rest[:HASH]


def unmask(shared: bytes, rest: bytes) -> bytes | None:
    """The plain text under the shared point d·C1 (64 bytes), or None when C3 fits neither order."""
    x, y = shared[:32], shared[32:]
    mask = derive(shared, len(rest) - HASH)
    if not any(mask):  # GB/T 32918.4, B4: the text would not be masked
        return None
    for c2, c3 in orderings(rest):
        plain = bytes(a ^ b for a, b in zip(c2, mask, strict=True))
        if hmac.compare_digest(sm3.digest(x + plain + y), c3):
            return plain
    return None


def _ciphertext_forms(ciphertext: bytes) -> Iterator[tuple[bytes, bytes]]:
    """(C1, C2 and C3 in either order) for every encoding that the ciphertext may have."""
    if (parts := der.unpack(ciphertext)) is not None:
        c1, c3, c2 = parts
        yield c1, c3 + c2
    if ciphertext[:1] == b"\x04":
        yield ciphertext[1 : POINT + 1], ciphertext[POINT + 1 :]
    yield ciphertext[:POINT], ciphertext[POINT:]  # also after 04 or 30: a bare x may begin with that byte


def derive(secret: bytes, length: int) -> bytes:
    """The key derivation function of GB/T 32918.4, 5.4.3: `length` bytes."""
    blocks = -(-length // HASH)
    return b"".join(sm3.digest(secret + n.to_bytes(4, "big")) for n in range(1, blocks + 1))[:length]
