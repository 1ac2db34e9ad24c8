"""Encryption of stored secrets with a master key that is not stored in the database.

A sealed secret is `version (1) | key id (8) | nonce (12) | ciphertext and tag (16)`; the version names the cipher:
1 AES-256-GCM, 2 SM4-GCM (RFC 8998). The context (row and column) is authenticated as associated data, so a sealed value
cannot be moved to another row; for SM4 version and key id are authenticated as well. The first master key encrypts; the
others only decrypt, until `inkgate keys reseal` has encrypted everything again. Both ciphers open at any time.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import os
import secrets
import stat
from collections.abc import Mapping, Sequence
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from sqlalchemy.engine import make_url

from inkgate.service.accounts import key_command
from inkgate.service.errors import ConfigurationError
from inkgate.service.sealed import sm3
from inkgate.service.settings import Database, Security

AES, SM4 = b"\x01", b"\x02"
VERSIONS: Mapping[str, bytes] = {"aes-256-gcm": AES, "sm4-gcm": SM4}
"""Values of INKGATE_SECURITY__CIPHER → first byte of a sealed secret."""

KEY_BYTES = 32
ID_BYTES = 8
HEAD_BYTES = 1 + ID_BYTES
NONCE_BYTES = 12
TAG_BYTES = 16
SM4_KEY_BYTES = 16
_SM4_LABEL = b"inkgate secrets at rest, SM4-GCM"
VALUE_SETTING = "INKGATE_SECURITY__MASTER_KEY"
FILE_SETTING = "INKGATE_SECURITY__MASTER_KEY_FILE"
COMMAND_SETTING = "INKGATE_SECURITY__MASTER_KEY_COMMAND"


class _Sm4Gcm:
    """SM4-GCM with the interface of AESGCM. The key is derived from a master key with HMAC-SM3, so that one master key
    serves both ciphers and neither learns the other's."""

    def __init__(self, master: bytes) -> None:
        self._algorithm = algorithms.SM4(sm3.hmac(master, _SM4_LABEL)[:SM4_KEY_BYTES])

    def encrypt(self, nonce: bytes, data: bytes, associated_data: bytes) -> bytes:
        state = Cipher(self._algorithm, modes.GCM(nonce)).encryptor()
        state.authenticate_additional_data(associated_data)
        return state.update(data) + state.finalize() + state.tag

    def decrypt(self, nonce: bytes, data: bytes, associated_data: bytes) -> bytes:
        """Raises InvalidTag."""
        if len(data) < TAG_BYTES:
            raise InvalidTag
        state = Cipher(self._algorithm, modes.GCM(nonce, data[-TAG_BYTES:])).decryptor()
        state.authenticate_additional_data(associated_data)
        return state.update(data[:-TAG_BYTES]) + state.finalize()


class Vault:
    """Encrypts and decrypts secrets. `keys` are 32 bytes each; the first one encrypts, with `cipher`."""

    def __init__(self, keys: Sequence[bytes], cipher: str = "aes-256-gcm") -> None:
        if not keys or any(len(key) != KEY_BYTES for key in keys):
            raise ValueError("a vault needs keys of 32 bytes")
        self._ciphers: dict[tuple[bytes, bytes], AESGCM | _Sm4Gcm] = {}
        for key in keys:
            self._ciphers[AES, key_id(key)] = AESGCM(key)
            self._ciphers[SM4, key_id(key)] = _Sm4Gcm(key)
        self.current = key_id(keys[0])
        self._version = VERSIONS[cipher]

    @property
    def head(self) -> bytes:
        """The first HEAD_BYTES of every secret that is sealed now: cipher and key."""
        return self._version + self.current

    def seal(self, secret: bytes, context: str) -> bytes:
        """Encrypt `secret` for `context`, for example "access_key.secret:<ak>"."""
        nonce = secrets.token_bytes(NONCE_BYTES)
        sealed = self._ciphers[self._version, self.current].encrypt(nonce, secret, _associated(self.head, context))
        return self.head + nonce + sealed

    def has_key(self, identity: bytes) -> bool:
        """Whether the vault has the master key with this id."""
        return (AES, identity) in self._ciphers

    def open(self, sealed: bytes, context: str) -> bytes:
        """Decrypt a secret. Raises ConfigurationError when the key is missing or the data was altered."""
        identity, version = key_id_of(sealed), sealed[:1]
        if version not in (AES, SM4):
            raise ConfigurationError(
                FILE_SETTING,
                f"a stored secret ({context}) was sealed by a newer release, or altered",
                "Run the newer release, or restore the database from a backup",
            )
        cipher = self._ciphers.get((version, identity))
        if cipher is None:
            raise ConfigurationError(
                FILE_SETTING,
                f"a stored secret is sealed under master key {identity.hex()}, which is not among the keys given",
                "Give that key (in the file, one key a line, the current one first)",
            )
        nonce, data = sealed[HEAD_BYTES : HEAD_BYTES + NONCE_BYTES], sealed[HEAD_BYTES + NONCE_BYTES :]
        try:
            return cipher.decrypt(nonce, data, _associated(sealed[:HEAD_BYTES], context))
        except (InvalidTag, ValueError):  # ValueError: the nonce is cut short
            raise ConfigurationError(
                FILE_SETTING, f"a stored secret ({context}) was altered or moved", "Restore the database from a backup"
            ) from None


def _associated(head: bytes, context: str) -> bytes:
    """What is authenticated besides the secret. Releases before SM4 authenticated the context alone."""
    return context.encode() if head[:1] == AES else head + context.encode()


def key_id(key: bytes) -> bytes:
    """The id of a master key: the first 8 bytes of its SHA-256."""
    return hashlib.sha256(key).digest()[:ID_BYTES]


def key_id_of(sealed: bytes) -> bytes:
    """The id of the master key with which a secret was encrypted."""
    return sealed[1:HEAD_BYTES]


def load(security: Security, database: Database) -> Vault:
    """The vault that the settings describe.

    With neither key, file nor command set, the embedded default stores its key beside the SQLite file and creates it on
    first use. Raises ConfigurationError when a key is malformed, a key file is readable by other users, the command
    fails, or Postgres runs without a key.
    """
    return Vault(_keys(security, database), security.cipher)


def _keys(security: Security, database: Database) -> list[bytes]:
    given = [
        name
        for name, value in (
            (VALUE_SETTING, security.master_key),
            (FILE_SETTING, security.master_key_file),
            (COMMAND_SETTING, security.master_key_command or None),
        )
        if value is not None
    ]
    if COMMAND_SETTING in given and len(given) > 1:
        raise ConfigurationError(COMMAND_SETTING, f"is set beside {given[0]}", "Keep one of them: the key comes once.")
    if security.master_key is not None:
        return parse(security.master_key.get_secret_value().replace(",", "\n"), VALUE_SETTING)
    if security.master_key_command:
        seconds = security.master_key_command_seconds
        return parse(key_command.output(security.master_key_command, seconds, COMMAND_SETTING), COMMAND_SETTING)
    path = key_file(security, database)
    if path is None:
        remedy = f"Set it, {FILE_SETTING} or {COMMAND_SETTING}: base64 of 32 random bytes"
        raise ConfigurationError(VALUE_SETTING, "not set", remedy)
    if security.master_key_file is None and not path.exists():
        _create_on_first_use(path)
    return read(path)


def key_file(security: Security, database: Database) -> Path | None:
    """Path of the key file; None when the keys come from a value or a command, or there is neither setting nor
    default."""
    if security.master_key is not None or security.master_key_command:
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
