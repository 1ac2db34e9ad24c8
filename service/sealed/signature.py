"""SM2 signatures (GB/T 32918.2) with SM3 and the default identity, on the scalar multiplication of `sm2.multiplier`.

A signature is r and s, 32 bytes each, as in GM/T 0009 without DER. The arithmetic modulo n is Python's and not constant
in time: for signatures that this service makes at its own pace, not at a caller's request.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets

from inkgate.service.sealed import sm3
from inkgate.service.sealed.curve import A, B, G, N, P, on_curve, valid_private
from inkgate.service.sealed.sm2 import multiplier

IDENTITY = b"1234567812345678"
"""The identity of a signer that has no other (GM/T 0009, 10)."""
SIGNATURE = 64  # bytes


def sign(private: bytes, public: bytes, message: bytes) -> bytes:
    """The signature of `message` under a private key of 32 bytes; `public` is its point. Raises ValueError."""
    if not valid_private(private) or not on_curve(public):
        raise ValueError("not an SM2 key pair")
    digest = _digest(public, message)
    while True:
        signature = sign_digest(private, digest, _nonce(private, digest))
        if signature is not None:
            return signature


def sign_digest(private: bytes, digest: bytes, nonce: int) -> bytes | None:
    """r and s for a digest that includes the identity; None for a nonce that must not be used."""
    point = multiplier().multiply(nonce.to_bytes(32, "big"), G) if 0 < nonce < N else None
    if point is None:
        return None
    d = int.from_bytes(private, "big")
    r = (int.from_bytes(digest, "big") + int.from_bytes(point[:32], "big")) % N
    s = pow(1 + d, -1, N) * (nonce - r * d) % N
    if r == 0 or r + nonce == N or s == 0:
        return None
    return r.to_bytes(32, "big") + s.to_bytes(32, "big")


def verify(public: bytes, message: bytes, signature: bytes) -> bool:
    """Whether `signature` is one of `message` under the key of the point `public` (64 bytes)."""
    if len(signature) != SIGNATURE or not on_curve(public):
        return False
    r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big")
    t = (r + s) % N
    if not 0 < r < N or not 0 < s < N or t == 0:
        return False
    first = multiplier().multiply(s.to_bytes(32, "big"), G)
    second = multiplier().multiply(t.to_bytes(32, "big"), public)
    x = _sum_x(first, second) if first is not None and second is not None else None
    if x is None:
        return False
    return (int.from_bytes(_digest(public, message), "big") + x) % N == r


def _digest(public: bytes, message: bytes) -> bytes:
    """SM3 of the signer's identity, curve and key, followed by the message."""
    curve = A.to_bytes(32, "big") + B.to_bytes(32, "big") + G
    identity = (len(IDENTITY) * 8).to_bytes(2, "big") + IDENTITY
    return sm3.digest(sm3.digest(identity + curve + public) + message)


def _nonce(private: bytes, digest: bytes) -> int:
    """A nonce from random bytes, the key and the digest: a weak random generator alone does not repeat it."""
    data = secrets.token_bytes(32) + digest
    wide = hmac.digest(private, data, hashlib.sha512)
    return int.from_bytes(wide, "big") % (N - 1) + 1


def _sum_x(first: bytes, second: bytes) -> int | None:
    """The x coordinate of the sum of two points; None for the point at infinity."""
    x1, y1, x2, y2 = (int.from_bytes(part, "big") for point in (first, second) for part in (point[:32], point[32:]))
    if x1 != x2:
        slope = (y2 - y1) * pow(x2 - x1, -1, P)
    elif y1 == y2 and y1:
        slope = (3 * x1 * x1 + A) * pow(2 * y1, -1, P)
    else:
        return None
    return (slope * slope - x1 - x2) % P
