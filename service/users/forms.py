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
from datetime import timedelta
from typing import Protocol

from inkgate.service.accounts.vault import Vault
from inkgate.service.db.work import UnitOfWork
from inkgate.service.users import repository
from inkgate.service.users.models import FormUseRow

MAX_USES = 500  # forms of one session that are remembered
WAIT_SECONDS = 15.0  # of a repeat, for the answer of the first one
ANSWER_KEPT = timedelta(minutes=5)  # of a form that is answered in place; longer than a browser repeats a request
MAX_ANSWER_BYTES = 4 * 1024 * 1024
FIRST_PAUSE_SECONDS, LAST_PAUSE_SECONDS = 0.05, 0.5


class Database(Protocol):
    """How the units of work of a request begin."""

    def begin(self) -> AbstractAsyncContextManager[UnitOfWork]: ...

    def reading(self) -> AbstractAsyncContextManager[UnitOfWork]: ...


class Unanswered(Exception):
    """The same form is still being processed, or its process ended before it was answered."""


class AnswerGone(Exception):
    """The same form was answered in place before, and the answer is not kept any more."""


def key_of(session: str, token: str, path: str, fields: Iterable[tuple[str, str]]) -> str:
    """The key of a form, 64 hex digits. A form that was changed before it was sent again is another form."""
    named = json.dumps([session, token, path, sorted(fields)], ensure_ascii=True)
    return hashlib.sha256(named.encode()).hexdigest()


async def claim(database: Database, key: str, session: str) -> str | None:
    """Claim a form. None: it is the caller's to process. Else the location that answered the same form before.

    Raises Unanswered when there is no answer within WAIT_SECONDS.
    """
    use = await _claim(database, key, session, WAIT_SECONDS)
    return None if use is None else use.location


async def claim_in_place(database: Database, vault: Vault, key: str, session: str, wait: float) -> bytes | None:
    """Claim a form that is answered in place. None: it is the caller's to process. Else the answer of the same form.

    Raises Unanswered when there is no answer within `wait` seconds, and AnswerGone when it is not kept any more.
    """
    async with database.begin() as unit:
        await delete_old_answers(unit)
    use = await _claim(database, key, session, wait)
    if use is None:
        return None
    if use.sealed_answer is None:
        raise AnswerGone
    return vault.open(use.sealed_answer, answer_context(key))


async def _claim(database: Database, key: str, session: str, wait: float) -> FormUseRow | None:
    """Claim a form; else its row, with the answer."""
    pause, give_up = FIRST_PAUSE_SECONDS, asyncio.get_running_loop().time() + wait
    while True:
        async with database.reading() as unit:
            use = await repository.form_use(unit.session, key)
        if use is not None and use.location is not None:
            return use
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


async def answer_in_place(database: Database, vault: Vault, key: str, answer: bytes | None) -> None:
    """Record that a claimed form was answered in place, and keep its answer for ANSWER_KEPT from the claim.

    None, or more than MAX_ANSWER_BYTES: the answer is not kept.
    """
    sealed = None
    if answer is not None and len(answer) <= MAX_ANSWER_BYTES:
        sealed = vault.seal(answer, answer_context(key))
    async with database.begin() as unit:
        await repository.answer_form(unit.session, key, "", sealed)


async def delete_old_answers(work: UnitOfWork) -> None:
    """Delete the answers whose time has passed; their forms stay claimed."""
    await repository.delete_form_answers(work.session, await work.now() - ANSWER_KEPT)


def answer_context(key: str) -> str:
    """Vault context of the answer of a form."""
    return f"console_form_use.answer:{key}"


async def release(database: Database, key: str) -> None:
    """Give up a claim: the form changed nothing and may be sent again."""
    async with database.begin() as unit:
        await repository.release_form(unit.session, key)
