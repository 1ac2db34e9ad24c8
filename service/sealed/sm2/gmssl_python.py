"""SM2 with gmssl: pure Python, for systems without another library, and a reference in tests.

Only its point arithmetic is used. Its own `decrypt` neither compares C3 nor rejects points off the curve; both are
checked here. Not fixable: it is not constant-time, so timing of many calls leaks some information on the private key,
and it holds the GIL for about ten milliseconds per call.
"""

from __future__ import annotations

from inkgate.service.sealed.curve import on_curve
from inkgate.service.sealed.sm2.ciphertext import unmask


class GmsslPython:
    """Provider over gmssl. Raises ImportError when it is not installed."""

    name = "gmssl"

    def __init__(self) -> None:
        from gmssl.sm2 import CryptSM2

        self._arithmetic = CryptSM2(private_key="", public_key="")

    def open(self, private: bytes, c1: bytes, rest: bytes) -> bytes | None:
        shared = self.multiply(private, c1)
        return None if shared is None else unmask(shared, rest)

    def multiply(self, private: bytes, point: bytes) -> bytes | None:
        """d times a point as 64 bytes, None when there is no such point. Not constant in time."""
        product = self._arithmetic._kg(int.from_bytes(private, "big"), point.hex())
        shared = bytes.fromhex(product) if product else b""
        return shared if on_curve(shared) else None
