"""An app's SM2 key pair: a private key of 32 bytes, and a public key in the form of the console (manual 6.2.4, 2.1).

The public key is the base64 of an X.509 SubjectPublicKeyInfo: 91 bytes of DER, 124 characters, which Java's
X509EncodedKeySpec accepts. The manual calls the format "PKCS8"; BouncyCastle's code, in the same section, reads
a SubjectPublicKeyInfo.
"""

from __future__ import annotations

import base64
import binascii
import secrets

from inkgate.service.sealed.curve import G, N, on_curve, valid_private
from inkgate.service.sealed.sm2 import multiplier

# SEQUENCE { SEQUENCE { OID id-ecPublicKey, OID sm2p256v1 }, BIT STRING 04‖x‖y }, up to the 04.
_SPKI_HEAD = bytes.fromhex("3059301306072a8648ce3d020106082a811ccf5501822d034200") + b"\x04"


def generate() -> tuple[bytes, str]:
    """A new key pair: the private key (32 bytes, big-endian) and the public key (base64 of its SPKI)."""
    private = (secrets.randbelow(N - 2) + 1).to_bytes(32, "big")
    return private, public_of(private)


def public_of(private: bytes) -> str:
    """The public key (base64 of its SPKI) that belongs to a private key of 32 bytes.

    Raises ValueError for a private key outside 1 … n-2.
    """
    if not valid_private(private):
        raise ValueError("an SM2 private key is 32 bytes holding a number from 1 to n-2")
    point = multiplier().multiply(private, G)
    if point is None or not on_curve(point):  # pragma: no cover - a broken library
        raise ValueError("the library made a point that is not on the curve")
    return encode_public(point)


def encode_public(point: bytes) -> str:
    """Base64 SPKI of a point (64 bytes, x then y). Raises ValueError for one that is not on the curve."""
    if not on_curve(point):
        raise ValueError("not a point of sm2p256v1")
    return base64.b64encode(_SPKI_HEAD + point).decode("ascii")


def decode_public(text: str) -> bytes:
    """The point (64 bytes, x then y) inside a base64 SPKI. Raises ValueError for anything else."""
    try:
        der = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise ValueError("the public key is not base64") from None
    if len(der) != len(_SPKI_HEAD) + 64 or not der.startswith(_SPKI_HEAD):
        raise ValueError("the public key is not an X.509 SubjectPublicKeyInfo of an uncompressed sm2p256v1 point")
    point = der[len(_SPKI_HEAD) :]
    if not on_curve(point):
        raise ValueError("the public key is not on sm2p256v1")
    return point
