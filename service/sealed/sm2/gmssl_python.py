"""SM2 through gmssl: pure Python, wherever nothing else can be had, and a second opinion in tests.

Only its point arithmetic is used. Its own `decrypt` never compares C3 and takes points off the curve; here both are
checked before and after. What cannot be mended: it takes longer for a heavier key, so it leaks a little of the private
key to whoever may measure many calls, and about ten milliseconds of the interpreter each time.
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
