"""Each form of a session takes effect once: a repeat gets the answer of the first one (ADR 0087).

A form is claimed before its page function runs and answered with the location of the redirect. A claim without an
answer belongs to a request that still runs, or to one that ended without telling how: it is never executed again.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Iterable
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from inkgate.service.db.work import UnitOfWork
from inkgate.service.users import repository

MAX_USES = 500  # forms of one session that are remembered
WAIT_SECONDS = 15.0  # of a repeat, for the answer of the first one
FIRST_PAUSE_SECONDS, LAST_PAUSE_SECONDS = 0.05, 0.5


class Database(Protocol):
    """How the units of work of a request begin."""

    def begin(self) -> AbstractAsyncContextManager[UnitOfWork]: ...

    def reading(self) -> AbstractAsyncContextManager[UnitOfWork]: ...


class Unanswered(Exception):
    """The same form is still being processed, or its process ended before it was answered."""


def key_of(session: str, token: str, path: str, fields: Iterable[tuple[str, str]]) -> str:
    """The key of a form, 64 hex digits. A form that was changed before it was sent again is another form."""
    named = json.dumps([session, token, path, sorted(fields)], ensure_ascii=True)
    return hashlib.sha256(named.encode()).hexdigest()


async def claim(database: Database, key: str, session: str, wait: float | None = None) -> str | None:
    """Claim a form. None: it is the caller's to process. Else the location that answered the same form before.

    Raises Unanswered when there is no answer within `wait` seconds, WAIT_SECONDS by default.
    """
    seconds = WAIT_SECONDS if wait is None else wait
    pause, give_up = FIRST_PAUSE_SECONDS, asyncio.get_running_loop().time() + seconds
    while True:
        async with database.reading() as unit:
            use = await repository.form_use(unit.session, key)
        if use is not None and use.location is not None:
            return use.location
        if use is None:
            async with database.begin() as unit:
                if await repository.claim_form(unit.session, key, session, await unit.now()):
                    await repository.forget_old_forms(unit.session, session, MAX_USES)
                    return None
        if asyncio.get_running_loop().time() > give_up:
            raise Unanswered
        await asyncio.sleep(pause)
        pause = min(pause * 2, LAST_PAUSE_SECONDS)


async def answer(database: Database, key: str, location: str) -> None:
    """Record where the answer of a claimed form redirected to."""
    async with database.begin() as unit:
        await repository.answer_form(unit.session, key, location)


async def release(database: Database, key: str) -> None:
    """Give up a claim: the form changed nothing and may be sent again."""
    async with database.begin() as unit:
        await repository.release_form(unit.session, key)
