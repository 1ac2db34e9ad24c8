"""SM2 encryption with a public key (GB/T 32918.4), for requests that the service itself makes."""

from __future__ import annotations

import secrets

from inkgate.service.sealed import sm3
from inkgate.service.sealed.curve import G, N, on_curve
from inkgate.service.sealed.sm2.ciphertext import MAX_PLAINTEXT_BYTES, derive
from inkgate.service.sealed.sm2.provider import multiplier

MAX_TRIES = 8  # a mask of zeros has a probability of 2⁻⁸ for one byte, 2⁻¹²⁸ for a key


def encrypt(point: bytes, plain: bytes) -> bytes:
    """04, C1, C3, C2 of 1 to 255 bytes for a public key (64 bytes, x then y). Raises ValueError for other arguments,
    ConfigurationError where no library multiplies points."""
    if not on_curve(point) or not 1 <= len(plain) <= MAX_PLAINTEXT_BYTES:
        raise ValueError("SM2 encrypts 1 to 255 bytes for a point of its curve")
    for _ in range(MAX_TRIES):
        number = (secrets.randbelow(N - 2) + 1).to_bytes(32, "big")
        c1, shared = multiplier().multiply(number, G), multiplier().multiply(number, point)
        if c1 is None or shared is None:
            continue
        mask = derive(shared, len(plain))
        if any(mask):
            c2 = bytes(a ^ b for a, b in zip(plain, mask, strict=True))
            return b"\x04" + c1 + sm3.digest(shared[:32] + plain + shared[32:]) + c2
    raise ValueError("the SM2 library computes no points")
