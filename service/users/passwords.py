"""Passwords: Argon2id in threads, few in parallel, because each hash uses tens of megabytes by design."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from inkgate.service.errors import Misuse

MAX_CHARACTERS = 128
MAX_PARALLEL_HASHES = 2


@dataclass(frozen=True, slots=True)
class PasswordRules:
    """What a password must have: characters, kinds of them (0 to 4: lower case, upper case, digits, others), and
    difference from the last `history` ones."""

    characters: int = 10
    classes: int = 0
    history: int = 0


DEFAULT_RULES = PasswordRules()


class Passwords:
    """Hashes and checks passwords. One instance per process."""

    def __init__(self, hasher: PasswordHasher | None = None) -> None:
        self._hasher = hasher or PasswordHasher()
        self._slots = asyncio.Semaphore(MAX_PARALLEL_HASHES)
        self._dummy_hash = ""

    async def new(
        self, password: str, login: str, rules: PasswordRules = DEFAULT_RULES, before: Sequence[str] = ()
    ) -> str:
        """The hash of a password that a user chose; `before` are the hashes of those that it may not repeat. Raises
        Misuse when it is not acceptable."""
        validate_password(password, login, rules)
        for hashed in before:
            if await self._verify(password, hashed):
                raise Misuse("password.used_before")
        return await self.hash(password)

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


def validate_password(password: str, login: str, rules: PasswordRules = DEFAULT_RULES) -> str:
    """The password, if it is acceptable. Raises Misuse otherwise."""
    if not rules.characters <= len(password) <= MAX_CHARACTERS:
        raise Misuse("password.length_out_of_range", least=rules.characters, most=MAX_CHARACTERS)
    if password.casefold() == login.casefold() or len(set(password)) < 4:
        raise Misuse("password.too_simple")
    if len({_class_of(each) for each in password}) < rules.classes:
        raise Misuse("password.too_few_classes", least=rules.classes)
    return password


def _class_of(character: str) -> str:
    if character.isdigit():
        return "digit"
    if character.islower():
        return "lower"
    return "upper" if character.isupper() else "other"
