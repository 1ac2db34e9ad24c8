"""The import of one file: read, checked and written in one transaction, or only tried."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field

from inkgate.service.accounts import service as accounts
from inkgate.service.accounts.models import AppRow
from inkgate.service.accounts.service import sm2_context
from inkgate.service.accounts.vault import Vault
from inkgate.service.audit import trail
from inkgate.service.db import locks
from inkgate.service.db.work import UnitOfWork
from inkgate.service.errors import Misuse
from inkgate.service.importing import checks, parsing, reading
from inkgate.service.importing.checks import Plan
from inkgate.service.importing.records import FIELDS, Problem, Report, SealingApp
from inkgate.service.importing.writing import SealedKeys, Writer, key_pairs
from inkgate.service.sealed import keys
from inkgate.service.sealed.private_key import parse_private

MAX_PROBLEMS = 200  # listed in one report

Begin = Callable[[], AbstractAsyncContextManager[UnitOfWork]]
"""Opens a unit of work that commits at the end of its block, and not when the block raises."""


class _Undo(Exception):
    """Ends the transaction of a dry run."""


@dataclass(frozen=True, slots=True)
class _Prepared:
    plan: Plan
    problems: Sequence[Problem]
    pairs: Mapping[int, SealedKeys] = field(repr=False)


async def import_file(
    begin: Begin, vault: Vault, data: bytes, *, apply: bool, kinds: Sequence[str] = tuple(FIELDS)
) -> Report:
    """Import a CSV or JSON file of `kinds` of records, or with `apply` False do the same and undo it.

    All records are written, or none: with any problem the report lists them and nothing is changed. Of two imports at
    once the second waits for the first. Raises Misuse when the file cannot be read as a whole, or a change outside of
    imports came in between; ClockSuspect when the file has packs and the time is not reliable.
    """
    prepared = await asyncio.to_thread(_prepare, data, kinds)
    plan = prepared.plan
    problems = list(prepared.problems)
    if not problems:
        try:
            async with begin() as work:
                problems = await _check_and_write(work, vault, prepared)
                if problems or not apply:
                    raise _Undo
        except _Undo:
            pass
    applied = apply and not problems
    sealing = [
        SealingApp(each.name, each.account, bool(each.private), prepared.pairs[each.row].enckey if applied else "")
        for each in plan.apps
        if each.seals and not problems
    ]
    listed = tuple(checks.ordered(problems)[:MAX_PROBLEMS])
    return Report(applied, plan.counts(), listed, len(problems) - len(listed), tuple(sealing))


def _prepare(data: bytes, kinds: Sequence[str]) -> _Prepared:
    """Read the file and make the key pairs of its apps; everything that needs no database."""
    rows, unread = reading.read(data)
    records, invalid = parsing.parse(rows, kinds)
    plan = Plan.of(records)
    problems = [*unread, *invalid, *checks.within(plan)]
    return _Prepared(plan, problems, {} if problems else key_pairs(plan.apps))


async def _check_and_write(work: UnitOfWork, vault: Vault, prepared: _Prepared) -> list[Problem]:
    plan = prepared.plan
    await locks.acquire(await work.session.connection(), locks.Lock.IMPORT)
    now = await work.checked_now() if plan.packs else await work.now()
    existing = await checks.load(work, plan, now)
    problems = checks.against(plan, existing, now)
    if problems:
        return problems
    await Writer(work, vault, existing, now).write(plan, prepared.pairs)
    counts = plan.counts()
    trail.record_at(now, work, "import.apply", f"import of {sum(counts.values())} records", None, **counts)
    return []


async def import_sm2_key(work: UnitOfWork, vault: Vault, app_id: str, text: str) -> AppRow:
    """Replace the SM2 key pair of an app by one whose private key is `text` (see `sealed.private_key`).

    Bodies sealed for the former public key cannot be opened any more. Takes effect in gateways within the cache time of
    the directory. Raises Misuse.
    """
    try:
        private = parse_private(text)
    except ValueError:
        raise Misuse("import.sm2_key_invalid") from None
    app = await accounts.get_app(work, app_id, lock=True)
    app.sm2_public_key = keys.public_of(private)
    app.sealed_sm2_key = vault.seal(private, sm2_context(app.id))
    app.seals = app.sm2_imported = True
    await trail.record(work, "app.sm2_import", f"app {app.name}", app.account_id, app_id=app.id)
    return app
