"""The SM2 key that signs checkpoints: made on first use, sealed with the master key; exports have its public half."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

from inkgate.service.audit import repository
from inkgate.service.audit.models import SigningKeyRow
from inkgate.service.db.work import UnitOfWork
from inkgate.service.sealed import keys, signature, sm3

KEY_ID_DIGITS = 16


class Sealer(Protocol):
    """The vault of stored secrets, which belongs to a layer above this one."""

    def seal(self, secret: bytes, context: str) -> bytes: ...

    def open(self, sealed: bytes, context: str) -> bytes: ...


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A key pair; `public_key` is the base64 of an X.509 SubjectPublicKeyInfo."""

    id: str
    public_key: str
    private: bytes = field(repr=False)

    def sign(self, text: str) -> str:
        """The signature of a text, r and s in hexadecimal."""
        return signature.sign(self.private, keys.decode_public(self.public_key), text.encode()).hex()


def key_context(key_id: str) -> str:
    """The context under which a signing key is sealed."""
    return f"audit_key:{key_id}"


def key_id_of(public_key: str) -> str:
    """The id of a public key: the first digits of the SM3 of its point. Raises ValueError for what is no public key."""
    return sm3.digest(keys.decode_public(public_key)).hex()[:KEY_ID_DIGITS]


def valid(public_key: str, text: str, signed: str) -> bool:
    """Whether `signed`, in hexadecimal, is a signature of a text."""
    try:
        return signature.verify(keys.decode_public(public_key), text.encode(), bytes.fromhex(signed))
    except ValueError:
        return False


async def signing_key(work: UnitOfWork, vault: Sealer) -> SigningKey:
    """The newest key, made on first use. The caller holds the lock on the end of the chain, so that one is made.

    Raises ConfigurationError when the vault cannot open it.
    """
    rows = await repository.signing_keys(work.session)
    if rows:
        newest = rows[0]
        return SigningKey(newest.id, newest.public_key, vault.open(newest.sealed_key, key_context(newest.id)))
    private, public = keys.generate()
    key = SigningKey(key_id_of(public), public, private)
    sealed = vault.seal(private, key_context(key.id))
    row = SigningKeyRow(id=key.id, public_key=public, sealed_key=sealed, created_at=await work.now())
    repository.add_row(work.session, row)
    await work.session.flush()
    return key
