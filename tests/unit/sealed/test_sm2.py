"""SM2 decryption: both orders, with and without 04, and what must be refused, by every provider alike."""

from __future__ import annotations

import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inkgate.service.errors import ConfigurationError
from inkgate.service.sealed import curve, sm2
from inkgate.service.sealed.sm2 import ciphertext
from inkgate.service.sealed.sm2 import provider as provider_module
from tests.unit.sealed import oracle
from tests.unit.sealed.conftest import POINT, PRIVATE

SHAPES = [(order, marker) for order in ("C1C2C3", "C1C3C2") for marker in (True, False)]


@pytest.mark.parametrize(("order", "marker"), SHAPES)
@pytest.mark.parametrize("size", [2, 16, 32, 33, 255])
def test_opens_what_gmssl_sealed(provider: sm2.Provider, order: str, marker: bool, size: int):
    plain = bytes(range(1, size + 1))
    assert sm2.decrypt(provider, PRIVATE, oracle.sm2_encrypt(POINT, plain, order, marker)) == plain


@pytest.mark.parametrize("order", ["C1C2C3", "C1C3C2"])
def test_every_flipped_byte_is_refused(provider: sm2.Provider, order: str):
    sealed = oracle.sm2_encrypt(POINT, b"sixteen byte key", order)
    for place in range(0, len(sealed), 1 if provider.name != "gmssl" else 9):
        altered = bytearray(sealed)
        altered[place] ^= 0x20
        assert sm2.decrypt(provider, PRIVATE, bytes(altered)) is None, place


def test_another_key_does_not_open(provider: sm2.Provider):
    other = (int.from_bytes(PRIVATE, "big") + 1).to_bytes(32, "big")
    assert sm2.decrypt(provider, other, oracle.sm2_encrypt(POINT, b"sixteen byte key")) is None


@pytest.mark.parametrize("size", [0, 1, 64, 65, 96, 97, 64 + 32 + 256, 100_000])
def test_invalid_lengths(provider: sm2.Provider, size: int):
    assert sm2.decrypt(provider, PRIVATE, (curve.G + bytes(size))[:size]) is None
    assert sm2.decrypt(provider, PRIVATE, b"\x04" + (curve.G + bytes(size))[:size]) is None


def test_point_off_the_curve_never_reaches_a_library():
    class Spy:
        def open(self, private: bytes, c1: bytes, rest: bytes) -> bytes | None:
            raise AssertionError("was handed a point off the curve")

    for x in (0, 1, curve.P, 2**256 - 1):
        point = x.to_bytes(32, "big") + curve.G[32:]
        assert ciphertext.decrypt(Spy(), PRIVATE, b"\x04" + point + bytes(48)) is None


def test_bare_point_that_begins_with_04(provider: sm2.Provider):
    """About one bare ciphertext in 256; the first byte of x must not be taken for the marker."""
    sealed = provider_module._C1 + provider_module._C3 + provider_module._C2
    assert sealed[0] == 4
    assert sm2.decrypt(provider, provider_module._PRIVATE, sealed) == b"encryption standard"
    assert sm2.decrypt(provider, provider_module._PRIVATE, b"\x04" + sealed) == b"encryption standard"


@pytest.mark.parametrize("private", [b"", bytes(32), b"\xff" * 32, PRIVATE + b"\0"])
def test_unusable_private_key_is_the_callers_fault(provider: sm2.Provider, private: bytes):
    with pytest.raises(ValueError, match="private key"):
        sm2.decrypt(provider, private, oracle.sm2_encrypt(POINT, b"sixteen byte key"))


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=400), st.booleans())
def test_garbage_is_refused_quietly(data: bytes, on_curve: bool):
    sealed = b"\x04" + curve.G + data if on_curve else data
    assert sm2.decrypt(sm2.select_provider(), PRIVATE, sealed) is None


@pytest.mark.parametrize("name", [name for name in sm2.NAMES if name != "auto"])
def test_refusals_write_nothing_to_stderr(name: str):
    """gmssl-pyx would print a C trace for each; Python's own stderr must work all the while."""
    script = (
        "import sys; from inkgate.service.sealed import curve, sm2; p = sm2.select_provider(sys.argv[1])\n"
        "for i in range(3): assert sm2.decrypt(p, b'\\x07' * 32, b'\\x04' + curve.G + bytes(48)) is None\n"
        "print('still here', file=sys.stderr)"
    )
    ran = subprocess.run([sys.executable, "-c", script, name], capture_output=True, text=True, timeout=60, check=True)
    assert ran.stderr == "still here\n"


def test_automatic_selection_falls_back_to_the_next(monkeypatch: pytest.MonkeyPatch):
    def missing() -> sm2.Provider:
        raise OSError("no libcrypto")

    monkeypatch.setitem(provider_module._FACTORIES, "libcrypto", missing)
    assert provider_module.select_provider.__wrapped__("auto").name == "gmssl-pyx"


def test_a_library_that_accepts_altered_ciphertexts_is_not_selected(monkeypatch: pytest.MonkeyPatch):
    class Careless:
        name = "libcrypto"

        def open(self, private: bytes, c1: bytes, rest: bytes) -> bytes | None:
            return b"encryption standard"

    monkeypatch.setitem(provider_module._FACTORIES, "libcrypto", Careless)
    assert provider_module.select_provider.__wrapped__("auto").name == "gmssl-pyx"
    with pytest.raises(ConfigurationError, match="altered"):
        provider_module.select_provider.__wrapped__("libcrypto")


def test_unknown_library_is_named():
    with pytest.raises(ConfigurationError, match=r"INKGATE_SECURITY__SM2.*tongsuo.*auto, libcrypto, gmssl-pyx, gmssl"):
        sm2.select_provider("tongsuo")
