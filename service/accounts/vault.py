"""Encryption of stored secrets: AES-256-GCM with a master key that is not stored in the database.

A sealed secret is `version (1) | key id (8) | nonce (12) | ciphertext and tag`. The context (row and column) is
authenticated as associated data, so a sealed value cannot be moved to another row. The first master key encrypts; the
others only decrypt, until `inkgate keys rotate` has encrypted everything again.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import os
import secrets
import stat
from collections.abc import Sequence
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from sqlalchemy.engine import make_url

from inkgate.service.errors import ConfigurationError
from inkgate.service.settings import Database, Security

VERSION = b"\x01"
KEY_BYTES = 32
ID_BYTES = 8
NONCE_BYTES = 12
VALUE_SETTING = "INKGATE_SECURITY__MASTER_KEY"
FILE_SETTING = "INKGATE_SECURITY__MASTER_KEY_FILE"


class Vault:
    """Encrypts and decrypts secrets. `keys` are 32 bytes each; the first one encrypts."""

    def __init__(self, keys: Sequence[bytes]) -> None:
        if not keys or any(len(key) != KEY_BYTES for key in keys):
            raise ValueError("a vault needs keys of 32 bytes")
        self._ciphers = {key_id(key): AESGCM(key) for key in keys}
        self.current = key_id(keys[0])

    def seal(self, secret: bytes, context: str) -> bytes:
        """Encrypt `secret` for `context`, for example "access_key.secret:<ak>"."""
        nonce = secrets.token_bytes(NONCE_BYTES)
        sealed = self._ciphers[self.current].encrypt(nonce, secret, context.encode())
        return VERSION + self.current + nonce + sealed

    def reseal(self, sealed: bytes, context: str) -> bytes | None:
        """The same secret under the current key; None when it is sealed so already. Raises ConfigurationError."""
        if key_id_of(sealed) == self.current:
            return None
        return self.seal(self.open(sealed, context), context)

    def has_key(self, identity: bytes) -> bool:
        """Whether the vault has the master key with this id."""
        return identity in self._ciphers

    def open(self, sealed: bytes, context: str) -> bytes:
        """Decrypt a secret. Raises ConfigurationError when the key is missing or the data was altered."""
        identity = key_id_of(sealed)
        cipher = self._ciphers.get(identity)
        if sealed[:1] != VERSION or cipher is None:
            raise ConfigurationError(
                FILE_SETTING,
                f"a stored secret is sealed under master key {identity.hex()}, which is not among the keys given",
                "Give that key (in the file, one key a line, the current one first)",
            )
        start = len(VERSION) + ID_BYTES
        try:
            return cipher.decrypt(sealed[start : start + NONCE_BYTES], sealed[start + NONCE_BYTES :], context.encode())
        except InvalidTag:
            raise ConfigurationError(
                FILE_SETTING, f"a stored secret ({context}) was altered or moved", "Restore the database from a backup"
            ) from None


def key_id(key: bytes) -> bytes:
    """The id of a master key: the first 8 bytes of its SHA-256."""
    return hashlib.sha256(key).digest()[:ID_BYTES]


def key_id_of(sealed: bytes) -> bytes:
    """The id of the master key with which a secret was encrypted."""
    return sealed[len(VERSION) : len(VERSION) + ID_BYTES]


def load(security: Security, database: Database) -> Vault:
    """The vault that the settings describe.

    With neither key nor file set, the embedded default stores its key beside the SQLite file and creates it on first
    use. Raises ConfigurationError when a key is malformed, a key file is readable by other users, or Postgres runs
    without a key.
    """
    if security.master_key is not None:
        return Vault(parse(security.master_key.get_secret_value().replace(",", "\n"), VALUE_SETTING))
    path = key_file(security, database)
    if path is None:
        raise ConfigurationError(VALUE_SETTING, "not set", f"Set it or {FILE_SETTING}: base64 of 32 random bytes")
    if security.master_key_file is None and not path.exists():
        _create_on_first_use(path)
    return Vault(read(path))


def key_file(security: Security, database: Database) -> Path | None:
    """Path of the key file; None when the keys are given as a value, or there is neither setting nor default."""
    if security.master_key is not None:
        return None
    if security.master_key_file is not None:
        return security.master_key_file
    url = make_url(database.url)
    if url.get_backend_name() == "sqlite" and url.database and url.database != ":memory:":
        return Path(url.database + ".key")
    return None


def read(path: Path) -> list[bytes]:
    """The keys of a file. Raises ConfigurationError, also when other users may read it."""
    try:
        mode = path.stat().st_mode
        text = path.read_text(encoding="ascii")
    except (OSError, UnicodeDecodeError) as error:
        problem = f"cannot read {path} ({error})"
        raise ConfigurationError(FILE_SETTING, problem, "Check the path and its owner") from None
    if stat.S_IMODE(mode) & 0o077:
        raise ConfigurationError(FILE_SETTING, f"{path} is open to other users", f"Run: chmod 600 {path}")
    return parse(text, FILE_SETTING)


def write(path: Path, keys: Sequence[bytes]) -> None:
    """Replace a key file atomically, mode 0600."""
    temporary = path.with_name(path.name + ".new")
    temporary.unlink(missing_ok=True)
    _create(temporary, keys)
    temporary.replace(path)


def parse(text: str, setting: str) -> list[bytes]:
    """Decode base64 keys, one per line. Raises ConfigurationError."""
    try:
        keys = [base64.b64decode(line, validate=True) for line in text.split()]
    except (binascii.Error, ValueError):
        keys = []
    if not keys or any(len(key) != KEY_BYTES for key in keys):
        raise ConfigurationError(setting, "not base64 of 32 bytes", "Make one with: openssl rand -base64 32")
    return keys


def new_key() -> bytes:
    """A random master key."""
    return secrets.token_bytes(KEY_BYTES)


def _create_on_first_use(path: Path) -> None:
    try:
        _create(path, [new_key()])
    except FileExistsError:
        return  # created by another process meanwhile


def _create(path: Path, keys: Sequence[bytes]) -> None:
    content = b"".join(base64.b64encode(key) + b"\n" for key in keys)
    # Written under a temporary name first, so that no process reads an incomplete file.
    draft = path.with_name(f"{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.link(draft, path)  # fails when the file exists
    finally:
        draft.unlink()
