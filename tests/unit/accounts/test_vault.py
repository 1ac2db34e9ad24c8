"""Stored secrets: bound to their row, decrypted only with the right key, whose file only its owner may read."""

from __future__ import annotations

import base64
import stat
from pathlib import Path

import pytest
from pydantic import SecretStr

from inkgate.service.accounts import vault as vaults
from inkgate.service.accounts.vault import Vault, new_key
from inkgate.service.errors import ConfigurationError
from inkgate.service.settings import Database, Security

POSTGRES = Database(url="postgresql+asyncpg://host/db")


def test_encryption_round_trip_with_random_ciphertext() -> None:
    vault = Vault([new_key()])
    first, second = vault.seal(b"secret", "row"), vault.seal(b"secret", "row")
    assert first != second and b"secret" not in first
    assert vault.open(first, "row") == vault.open(second, "row") == b"secret"


def test_a_sealed_secret_cannot_be_moved_to_another_row() -> None:
    vault = Vault([new_key()])
    with pytest.raises(ConfigurationError, match="altered or moved"):
        vault.open(vault.seal(b"secret", "access_key.secret:a"), "access_key.secret:b")


@pytest.mark.parametrize("position", [9, 25, -1])
def test_an_altered_secret_does_not_open(position: int) -> None:
    vault = Vault([new_key()])
    sealed = bytearray(vault.seal(b"secret", "row"))
    sealed[position] ^= 1
    with pytest.raises(ConfigurationError):
        vault.open(bytes(sealed), "row")


def test_another_master_key_is_named_in_the_error() -> None:
    sealed = Vault([new_key()]).seal(b"secret", "row")
    with pytest.raises(ConfigurationError, match=vaults.key_id_of(sealed).hex()):
        Vault([new_key()]).open(sealed, "row")


def test_older_keys_open_and_the_first_one_seals() -> None:
    old, new = new_key(), new_key()
    sealed = Vault([old]).seal(b"secret", "row")
    vault = Vault([new, old])
    assert vault.open(sealed, "row") == b"secret"
    assert vaults.key_id_of(vault.seal(b"x", "row")) == vaults.key_id(new)


def test_the_embedded_default_makes_its_key_once_beside_the_database(tmp_path: Path) -> None:
    database = Database(url=f"sqlite+aiosqlite:///{tmp_path}/inkgate.db")
    sealed = vaults.load(Security(), database).seal(b"secret", "row")
    key = tmp_path / "inkgate.db.key"
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert vaults.load(Security(), database).open(sealed, "row") == b"secret"
    assert sorted(each.name for each in tmp_path.iterdir()) == ["inkgate.db.key"]


def test_a_key_file_that_others_may_read_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "keys"
    vaults.write(path, [new_key()])
    path.chmod(0o640)
    with pytest.raises(ConfigurationError, match=f"chmod 600 {path}"):
        vaults.load(Security(master_key_file=path), POSTGRES)


def test_postgres_without_a_key_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="INKGATE_SECURITY__MASTER_KEY: not set"):
        vaults.load(Security(), POSTGRES)


@pytest.mark.parametrize("value", ["", "not base64!", base64.b64encode(b"short").decode()])
def test_a_malformed_key_is_refused_without_being_shown(value: str) -> None:
    with pytest.raises(ConfigurationError, match="not base64 of 32 bytes") as caught:
        vaults.load(Security(master_key=SecretStr(value)), POSTGRES)
    assert not value or value not in str(caught.value)


def test_keys_given_as_a_value_may_follow_each_other_after_commas() -> None:
    old, new = new_key(), new_key()
    value = ",".join(base64.b64encode(key).decode() for key in (new, old))
    vault = vaults.load(Security(master_key=SecretStr(value)), POSTGRES)
    assert vault.open(Vault([old]).seal(b"secret", "row"), "row") == b"secret"


def test_a_key_file_is_replaced_atomically(tmp_path: Path) -> None:
    path, keys = tmp_path / "keys", [new_key(), new_key()]
    vaults.write(path, keys[:1])
    vaults.write(path, keys)
    assert vaults.read(path) == keys
    assert [each.name for each in tmp_path.iterdir()] == ["keys"]
