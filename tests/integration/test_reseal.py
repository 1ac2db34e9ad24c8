"""The change of master key and cipher, of every table with secrets, both ways, and continued after a break."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass

import pytest
from sqlalchemy import LargeBinary, select
from sqlalchemy.ext.asyncio import AsyncEngine

from inkgate.service.accounts import rotation
from inkgate.service.accounts import service as accounts
from inkgate.service.accounts.models import Account
from inkgate.service.accounts.vault import HEAD_BYTES, Vault, key_id, new_key
from inkgate.service.audit.signing import signing_key
from inkgate.service.db import work
from inkgate.service.db.sealed_columns import CONTEXT, heads, sealed_columns
from inkgate.service.db.work import UnitOfWork
from inkgate.service.errors import ConfigurationError
from inkgate.service.notices import channels
from inkgate.service.settings import Notices
from inkgate.service.tables import metadata
from inkgate.service.users import factor, shown_secrets
from inkgate.service.users import service as users

COLUMNS = sealed_columns(metadata)
NOT_SECRET = {("usage_record", "chain"), ("meter", "chain"), ("ledger_anchor", "chain")}
"""Binary columns that hold no secret: hashes of the ledger's chain."""


def test_every_binary_column_is_marked() -> None:
    """A secret in a column without a mark would be lost with the old key."""
    binary = {(t.name, c.name) for t in metadata.tables.values() for c in t.columns if isinstance(c.type, LargeBinary)}
    marked = {(column.table.name, column.name) for column in COLUMNS}
    sealed = {(t.name, c.name) for t in metadata.tables.values() for c in t.columns if c.name.startswith("sealed_")}
    assert binary - NOT_SECRET == marked and sealed <= marked
    for column in COLUMNS:
        assert column.template == column.table.c[column.name].info[CONTEXT]
        assert set(column.needed) <= set(column.table.c.keys())


@dataclass(frozen=True, slots=True)
class Stored:
    """A database with rows in every table that has secrets, sealed under `old` with AES."""

    engine: AsyncEngine
    old: bytes

    def begin(self) -> AbstractAsyncContextManager[UnitOfWork]:
        return work.unit_of_work(self.engine, "test")

    async def opened(self, vault: Vault) -> dict[tuple[str, str, str], bytes]:
        """Every secret in clear, by table, column and key."""
        found: dict[tuple[str, str, str], bytes] = {}
        async with work.read_session(self.engine) as session:
            for column in COLUMNS:
                for row in (await session.execute(select(column.table))).mappings():
                    key = "/".join(str(row[name]) for name in column.keys)
                    found[column.table.name, column.name, key] = vault.open(row[column.name], column.context(dict(row)))
        return found

    async def count_others(self, head: bytes) -> int:
        """Secrets that do not begin with `head`."""
        async with work.read_session(self.engine) as session:
            found = [await session.scalars(select(column.table.c[column.name])) for column in COLUMNS]
            return sum(not bytes(value).startswith(head) for values in found for value in values)

    async def heads(self) -> set[bytes]:
        async with work.read_session(self.engine) as session:
            return set().union(*[await heads(session, column, HEAD_BYTES) for column in COLUMNS])


@pytest.fixture
async def stored(engine: AsyncEngine) -> Stored:
    old = new_key()
    vault = Vault([old])
    async with work.unit_of_work(engine, "test") as unit:
        account = await accounts.create_account(unit, "main")
        for number in range(3):
            await accounts.create_access_key(unit, vault, account.id)
            await accounts.create_app(unit, vault, account.id, f"reseal_{number}")
            hook = channels.NewChannel(channels.ChannelKind.WEBHOOK, "hook", url="https://hook.test/x")
            await channels.create(unit, vault, Notices(), None, hook)
            user = await users.create_user(unit, f"user-{number}", users.NO_PASSWORD)
            await factor.begin(unit, vault, user.id)
            lifetime = users.Lifetime(users.Lock().duration, users.Lock().duration)
            token = await users.sign_in_by_provider(unit, user.login, lifetime)
            assert token is not None
            session = users.hash_token(token)
            await shown_secrets.keep(unit, vault, session, "/keys", "key", {"ak": "a", "sk": "b"})
        await signing_key(unit, vault)
    return Stored(engine, old)


async def test_every_secret_is_converted_both_ways(stored: Stored) -> None:
    fresh = new_key()
    before = await stored.opened(Vault([stored.old]))
    assert {(table, column) for table, column, _ in before} == {(c.table.name, c.name) for c in COLUMNS}
    both = Vault([fresh, stored.old], "sm4-gcm")
    assert await rotation.reseal(stored.begin, both, rows=2) == len(before) == 19
    assert await stored.heads() == {both.head} == {b"\x02" + key_id(fresh)}
    assert await stored.opened(Vault([fresh])) == before, "the cipher that is set matters for new secrets alone"
    assert await rotation.reseal(stored.begin, both) == 0
    back = Vault([fresh], "aes-256-gcm")
    assert await rotation.reseal(stored.begin, back) == len(before)
    assert await stored.heads() == {back.head} == {b"\x01" + key_id(fresh)}
    assert await stored.opened(back) == before


async def test_a_change_that_was_broken_off_is_continued(stored: Stored) -> None:
    """At any point: all secrets open with both keys, and the next run converts the rest."""
    fresh = new_key()
    both = Vault([fresh, stored.old], "sm4-gcm")
    before, left = await stored.opened(both), [0]
    rest: list[int] = []

    @asynccontextmanager
    async def breaking() -> AsyncIterator[UnitOfWork]:
        left[0] -= 1
        async with stored.begin() as unit:
            yield unit
            if left[0] < 0:
                raise KeyboardInterrupt

    for steps in (2, 3, 1):
        left[0] = steps
        with pytest.raises(KeyboardInterrupt):
            await rotation.reseal(breaking, both, rows=2)
        assert await stored.opened(both) == before
        rest.append(await stored.count_others(both.head))
    assert len(before) >= rest[0] > rest[1] == rest[2] > 0, "the third run broke off before its first change"
    assert await rotation.reseal(stored.begin, both) == rest[-1]
    assert await stored.heads() == {both.head}


async def test_without_all_keys_nothing_changes(stored: Stored) -> None:
    before = await stored.heads()
    with pytest.raises(ConfigurationError, match=key_id(stored.old).hex()):
        await rotation.reseal(stored.begin, Vault([new_key()]))
    assert await stored.heads() == before


async def test_secrets_made_meanwhile_survive(stored: Stored) -> None:
    """Gateways and console go on writing while the change runs, some with the old cipher still."""
    fresh = new_key()
    both, elder = Vault([fresh, stored.old], "sm4-gcm"), Vault([stored.old, fresh])

    async def write_on() -> list[str]:
        made = []
        for _ in range(10):
            async with stored.begin() as unit:
                account = await unit.session.scalar(select(Account.id))
                assert account is not None
                made.append((await accounts.create_app(unit, elder, account, f"live_{len(made)}")).secret)
        return made

    _, made = await asyncio.gather(rotation.reseal(stored.begin, both, rows=1), write_on())
    await rotation.reseal(stored.begin, both)
    assert await stored.heads() == {both.head}
    assert {secret.encode() for secret in made} <= set((await stored.opened(Vault([fresh]))).values())
