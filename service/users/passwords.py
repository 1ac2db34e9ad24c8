"""Passwords: Argon2id in threads, few in parallel, because each hash uses tens of megabytes by design."""

from __future__ import annotations

import asyncio

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from inkgate.service.errors import Misuse

MIN_CHARACTERS, MAX_CHARACTERS = 10, 128
MAX_PARALLEL_HASHES = 2


class Passwords:
    """Hashes and checks passwords. One instance per process."""

    def __init__(self, hasher: PasswordHasher | None = None) -> None:
        self._hasher = hasher or PasswordHasher()
        self._slots = asyncio.Semaphore(MAX_PARALLEL_HASHES)
        self._dummy_hash = ""

    async def new(self, password: str, login: str) -> str:
        """The hash of a password that a user chose. Raises Misuse when it is not acceptable."""
        return await self.hash(validate_password(password, login))

    async def hash(self, password: str) -> str:
        """The Argon2id hash in PHC string format."""
        async with self._slots:
            return await asyncio.to_thread(self._hasher.hash, password)

    async def check(self, password: str, hashed: str | None) -> bool:
        """Whether the password fits. `hashed` None (unknown user) takes as long as a wrong password."""
        if hashed is None:
            self._dummy_hash = self._dummy_hash or await self.hash("the password of no user")
            await self._verify(password, self._dummy_hash)
            return False
        return await self._verify(password, hashed)

    async def _verify(self, password: str, hashed: str) -> bool:
        async with self._slots:
            try:
                return await asyncio.to_thread(self._hasher.verify, hashed, password)
            except (VerificationError, InvalidHashError):
                return False


def validate_password(password: str, login: str) -> str:
    """The password, if it is acceptable. Raises Misuse otherwise."""
    if not MIN_CHARACTERS <= len(password) <= MAX_CHARACTERS:
        raise Misuse("password.length_out_of_range", least=MIN_CHARACTERS, most=MAX_CHARACTERS)
    if password.casefold() == login.casefold() or len(set(password)) < 4:
        raise Misuse("password.too_simple")
    return password
