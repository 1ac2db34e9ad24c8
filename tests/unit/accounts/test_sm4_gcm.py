"""SM4-GCM at rest: the vector of RFC 8998, and what a sealed secret guarantees with either cipher."""

from __future__ import annotations

import pytest
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers import algorithms
from hypothesis import given
from hypothesis import strategies as st

from inkgate.service.accounts import vault as vaults
from inkgate.service.accounts.vault import HEAD_BYTES, Vault, _Sm4Gcm, new_key
from inkgate.service.errors import ConfigurationError

CIPHERS = tuple(vaults.VERSIONS)
# RFC 8998, appendix A.1
KEY = bytes.fromhex("0123456789ABCDEFFEDCBA9876543210")
NONCE = bytes.fromhex("00001234567800000000ABCD")
AAD = bytes.fromhex("FEEDFACEDEADBEEFFEEDFACEDEADBEEFABADDAD2")
PLAIN = bytes.fromhex("AA" * 8 + "BB" * 8 + "CC" * 8 + "DD" * 8 + "EE" * 8 + "FF" * 8 + "EE" * 8 + "AA" * 8)
SEALED = bytes.fromhex(
    "17F399F08C67D5EE19D0DC9969C4BB7D5FD46FD3756489069157B282BB200735"
    "D82710CA5C22F0CCFA7CBF93D496AC15A56834CBCF98C397B4024A2691233B8D"
    "83DE3541E4C2B58177E065A9BF7B62EC"
)


def with_key(key: bytes) -> _Sm4Gcm:
    cipher = _Sm4Gcm(bytes(32))
    cipher._algorithm = algorithms.SM4(key)
    return cipher


def test_the_vector_of_the_rfc() -> None:
    assert with_key(KEY).encrypt(NONCE, PLAIN, AAD) == SEALED
    assert with_key(KEY).decrypt(NONCE, SEALED, AAD) == PLAIN
    for damaged in (SEALED[:-1], SEALED[:10], b"", SEALED[:5] + b"\0" + SEALED[6:]):
        with pytest.raises(InvalidTag):
            with_key(KEY).decrypt(NONCE, damaged, AAD)


@given(st.binary(max_size=300), st.text(max_size=60), st.sampled_from(CIPHERS), st.sampled_from(CIPHERS))
def test_a_secret_opens_with_whatever_cipher_is_set(
    secret: bytes, context: str, sealed_by: str, opened_by: str
) -> None:
    old, new = new_key(), new_key()
    context = context.encode("utf-8", "ignore").decode()
    sealed = Vault([old], sealed_by).seal(secret, context)
    assert Vault([new, old], opened_by).open(sealed, context) == secret
    assert len(secret) < 8 or secret not in sealed


@given(st.data(), st.sampled_from(CIPHERS))
def test_any_change_is_seen(data: st.DataObject, cipher: str) -> None:
    """A bit of any byte, the context, the length; also a change of the version to the other cipher's."""
    vault = Vault([new_key()], cipher)
    sealed = bytearray(vault.seal(b"secret key", "app.secret:1"))
    with pytest.raises(ConfigurationError):
        vault.open(bytes(sealed), "app.secret:2")
    with pytest.raises(ConfigurationError):
        vault.open(bytes(sealed[: data.draw(st.integers(0, len(sealed) - 1))]), "app.secret:1")
    place = data.draw(st.integers(0, len(sealed) - 1))
    sealed[place] ^= data.draw(st.integers(1, 255))
    with pytest.raises(ConfigurationError):
        vault.open(bytes(sealed), "app.secret:1")


def test_the_ciphers_have_different_keys_and_heads() -> None:
    key = new_key()
    heads = {Vault([key], cipher).seal(b"x", "c")[:HEAD_BYTES] for cipher in CIPHERS}
    assert heads == {bytes([1]) + vaults.key_id(key), bytes([2]) + vaults.key_id(key)}


def test_a_secret_of_a_newer_release_differs_from_a_missing_key() -> None:
    vault = Vault([new_key()])
    sealed = vault.seal(b"x", "c")
    with pytest.raises(ConfigurationError, match="newer release"):
        vault.open(b"\x07" + sealed[1:], "c")
