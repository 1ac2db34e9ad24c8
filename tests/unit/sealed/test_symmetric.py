"""SM3, HMAC-SM3 and SM4 against the standards' examples and against gmssl."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inkgate.service.sealed import sm3, sm4
from tests.unit.sealed import oracle

# GB/T 32905 A.1 and A.2; GB/T 32907 A.1.
SM3_ABC = "66c7f0f462eeedd9d1f2d46bdc10e4e24167c4875cf2f7a2297da02b8f4ba8e0"
SM3_ABCD = "debe9ff92275b8a138604889c18e5a4d6fdb70e5387e5765293dcba39c0c5732"
SM4_KEY = bytes.fromhex("0123456789abcdeffedcba9876543210")
SM4_OUT = bytes.fromhex("681edf34d206965e86b3e94f536e4246")


@pytest.fixture(params=[True, False], ids=["python", "cryptography"])
def implementation(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    assert sm3.IN_PYTHON, "this Python lacks SM3: the first branch would go untested"
    monkeypatch.setattr(sm3, "IN_PYTHON", request.param)
    return bool(request.param)


def test_sm3_of_the_standard(implementation: bool):
    assert sm3.digest(b"abc").hex() == SM3_ABC
    assert sm3.digest(b"abcd" * 16).hex() == SM3_ABCD


@pytest.mark.parametrize("size", [0, 1, 16, 64, 65, 100])
def test_hmac_with_keys_of_any_length(implementation: bool, size: int):
    key = bytes(range(size))
    assert sm3.hmac(key, b"some text") == oracle.sm3_hmac(key, b"some text")


def test_sm4_of_the_standard():
    assert sm4.encrypt(SM4_KEY, SM4_KEY)[:16] == SM4_OUT


@settings(max_examples=30, deadline=None)
@given(st.binary(max_size=200))
def test_sm4_agrees_with_gmssl(plain: bytes):
    sealed = sm4.encrypt(SM4_KEY, plain)
    assert sealed == oracle.sm4_encrypt(SM4_KEY, plain)
    assert sm4.decrypt(SM4_KEY, sealed) == plain


@pytest.mark.parametrize("size", [0, 15, 17, 24, 32])
def test_sm4_keys_have_16_bytes(size: int):
    with pytest.raises(ValueError, match="key"):
        sm4.encrypt(bytes(size), b"text")
    with pytest.raises(ValueError, match="key"):
        sm4.decrypt(bytes(size), bytes(16))


@pytest.mark.parametrize("size", [0, 1, 15, 17, 31])
def test_sm4_ciphertext_of_partial_blocks(size: int):
    with pytest.raises(ValueError, match="blocks of 16"):
        sm4.decrypt(SM4_KEY, bytes(size))


@pytest.mark.parametrize("tail", [b"\x00", b"\x11", b"\x01\x02", b"\x03\x02\x03", b"\xff"])
def test_sm4_wrong_padding(tail: bytes):
    block = bytes(16 - len(tail)) + tail
    sealed = sm4.encrypt(SM4_KEY, block)[:16]  # the block alone, its padding block cut off
    with pytest.raises(ValueError, match="padding"):
        sm4.decrypt(SM4_KEY, sealed)
