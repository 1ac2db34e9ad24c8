"""Selection of the SM2 library, with a known-answer self-test."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Protocol

from inkgate.service.errors import ConfigurationError
from inkgate.service.sealed.curve import G
from inkgate.service.sealed.sm2.ciphertext import decrypt
from inkgate.service.sealed.sm2.gmssl_c import GmsslC
from inkgate.service.sealed.sm2.gmssl_python import GmsslPython
from inkgate.service.sealed.sm2.libcrypto import Libcrypto


class Provider(Protocol):
    """An SM2 library for decryption. Thread-safe."""

    name: str

    def open(self, private: bytes, c1: bytes, rest: bytes) -> bytes | None:
        """The plain text, or None when C3 verifies in neither order.

        `private` is a valid private key (32 bytes), `c1` a point on the curve (64 bytes), `rest` C2 and C3 in either
        order, 33 to 287 bytes. The caller has checked all three.
        """


class Multiplier(Protocol):
    """Scalar multiplication only."""

    name: str

    def multiply(self, private: bytes, point: bytes) -> bytes | None:
        """`private` times `point` as 64 bytes, or None when the library refuses. The caller has checked both."""


_FACTORIES: dict[str, Callable[[], Provider]] = {
    Libcrypto.name: Libcrypto,
    GmsslC.name: GmsslC,
    GmsslPython.name: GmsslPython,
}
AUTOMATIC = (Libcrypto.name, GmsslC.name)
_MULTIPLIERS: tuple[Callable[[], Multiplier], ...] = (Libcrypto, GmsslPython)
NAMES = ("auto", *_FACTORIES)

# The encryption example of GB/T 32918.5; its x begins with 04, which detects code that takes it for the marker.
_PRIVATE = bytes.fromhex("3945208f7b2144b13f36e38ac6d39f95889393692860b51a42fb81ef4df7c5b8")
_C1 = bytes.fromhex(
    "04ebfc718e8d1798620432268e77feb6415e2ede0e073c0f4f640ecd2e149a73"
    "e858f9d81e5430a57b36daab8f950a3c64e6ee6a63094d99283aff767e124df0"
)
_C2 = bytes.fromhex("21886ca989ca9c7d58087307ca93092d651efa")
_C3 = bytes.fromhex("59983c18f809e262923c53aec295d30383b54e39d609d160afcb1908d0bd8766")
_PLAIN = b"encryption standard"
_PUBLIC = bytes.fromhex(
    "09f9df311e5421a150dd7d161e4bc5c672179fad1833fc076bb08ff356f35020"
    "ccea490ce26775a52dc6ea718cc1aa600aed05fbf35e084a6632f6072da9ad13"
)


@functools.cache
def select_provider(name: str = "auto") -> Provider:
    """The provider called `name`, or the first automatic one that works; self-tested, cached.

    Raises ConfigurationError when the requested one, or every automatic one, is missing or fails its self-test.
    """
    candidates = AUTOMATIC if name == "auto" else (name,)
    reasons = []
    for candidate in candidates:
        try:
            provider = _FACTORIES[candidate]()
            self_test(provider)
        except (ImportError, OSError, AttributeError, ArithmeticError, KeyError) as error:
            reasons.append(f"{candidate} ({error})")
        else:
            return provider
    raise ConfigurationError(
        "INKGATE_SECURITY__SM2",
        f"no SM2 library is usable: {', '.join(reasons)}",
        f"Choose one of {', '.join(NAMES)}; gmssl-pyx comes with an installation on x86_64.",
    )


@functools.cache
def multiplier() -> Multiplier:
    """The library that computes public keys: libcrypto (constant-time), otherwise gmssl. Self-tested, cached.

    gmssl-pyx has no scalar multiplication. Raises ConfigurationError when neither computes the standard's public key.
    """
    for make in _MULTIPLIERS:
        try:
            found = make()
            if found.multiply(_PRIVATE, G) == _PUBLIC:
                return found
        except (ImportError, OSError, AttributeError):
            continue
    raise ConfigurationError(
        "INKGATE_SECURITY__SM2",
        "no SM2 library can make a key pair",
        "Install OpenSSL 3 with SM2, or the package gmssl.",
    )


def self_test(provider: Provider) -> None:
    """Raise ArithmeticError unless `provider` decrypts both orders, with and without 04, and refuses altered ones."""
    for body in (_C2 + _C3, _C3 + _C2):
        for marker in (b"\x04", b""):
            if decrypt(provider, _PRIVATE, marker + _C1 + body) != _PLAIN:
                raise ArithmeticError("does not decrypt the standard's example")
        altered = bytearray(body)
        altered[7] ^= 1
        if decrypt(provider, _PRIVATE, _C1 + bytes(altered)) is not None:
            raise ArithmeticError("accepts an altered ciphertext")
