"""Checks of records against each other and against the database. Every problem is reported, in order of rows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from sqlalchemy.ext.asyncio import AsyncSession

from inkgate.service.accounts.models import Account, AppRow
from inkgate.service.accounts.service import APPS_PER_ACCOUNT, KEYS_PER_ACCOUNT
from inkgate.service.db.work import UnitOfWork
from inkgate.service.errors import Misuse
from inkgate.service.importing import repository
from inkgate.service.importing.apps import MAX_LISTED, Key, References, owners
from inkgate.service.importing.records import (
    AccountRecord,
    AppRecord,
    CapabilityRecord,
    KeyRecord,
    PackRecord,
    Problem,
    Record,
)

R = TypeVar("R", AccountRecord, KeyRecord, AppRecord, CapabilityRecord)


@dataclass(frozen=True, slots=True)
class Plan:
    """The records of a file by kind, in the order of the file."""

    accounts: tuple[AccountRecord, ...]
    keys: tuple[KeyRecord, ...]
    apps: tuple[AppRecord, ...]
    capabilities: tuple[CapabilityRecord, ...]
    packs: tuple[PackRecord, ...]

    @classmethod
    def of(cls, records: Sequence[Record]) -> Plan:
        return cls(
            tuple(each for each in records if isinstance(each, AccountRecord)),
            tuple(each for each in records if isinstance(each, KeyRecord)),
            tuple(each for each in records if isinstance(each, AppRecord)),
            tuple(each for each in records if isinstance(each, CapabilityRecord)),
            tuple(each for each in records if isinstance(each, PackRecord)),
        )

    def counts(self) -> dict[str, int]:
        """Kind of record → number of records."""
        return {
            "account": len(self.accounts),
            "key": len(self.keys),
            "app": len(self.apps),
            "capability": len(self.capabilities),
            "pack": len(self.packs),
        }


@dataclass(frozen=True, slots=True)
class Existing:
    """What the database holds of the names and keys in a file; accounts by name, apps by the names of account and app,
    their rows locked."""

    accounts: Mapping[str, Account]
    apps: Mapping[Key, AppRow]
    owners: Mapping[str, Account]  # by id: the accounts of `apps`
    access_keys: frozenset[str]
    appkeys: Mapping[str, bool]  # AppKey → whether its app is deleted
    key_counts: Mapping[str, int]  # account id → live access keys
    app_counts: Mapping[str, int]  # account id → live apps
    opened: frozenset[tuple[str, str]]  # (app id, capability)


async def load(work: UnitOfWork, plan: Plan, now: datetime) -> Existing:
    """Read what the checks need, and lock the rows that the import adds to."""
    session = work.session
    named = {each.name for each in plan.accounts} | {each.parent for each in plan.accounts if each.parent}
    named |= {each.account for each in plan.keys} | {each.account for each in plan.apps}
    named |= {each.account for each in plan.packs if each.account}
    named |= {each.account for each in plan.capabilities if each.account}
    accounts = await repository.lock_accounts(session, named)
    account_ids = {each.id for each in accounts.values()}
    rows = await _apps_here(session, plan, account_ids)
    by_id = await repository.accounts_by_id(session, {each.account_id for each in rows})
    apps = {(by_id[each.account_id].name, each.name): each for each in rows}
    return Existing(
        accounts,
        apps,
        by_id,
        frozenset(await repository.known_access_keys(session, {each.ak for each in plan.keys})),
        await repository.known_appkeys(session, {each.appkey for each in plan.apps}),
        await repository.live_key_counts(session, account_ids, now),
        await repository.live_app_counts(session, account_ids),
        frozenset(await repository.opened(session, {each.id for each in apps.values()})),
    )


async def _apps_here(session: AsyncSession, plan: Plan, account_ids: Collection[str]) -> Collection[AppRow]:
    """The live apps that records can mean. Of a name without account there are enough to see that it is ambiguous."""
    filed = {each.name for each in plan.apps}
    references: list[CapabilityRecord | PackRecord] = [*plan.capabilities, *(each for each in plan.packs if each.app)]
    of_accounts = filed | {each.app for each in references if each.account}
    of_any = {each.app for each in references if not each.account} - filed
    found = await repository.apps_of_accounts(session, of_accounts, account_ids)
    found |= await repository.apps_of_any_account(session, of_any, MAX_LISTED + 1)
    return (found | await repository.apps_with_appkeys(session, {each.app for each in references})).values()


def within(plan: Plan) -> list[Problem]:
    """Problems among the records of the file: what occurs twice. Pure."""
    problems = [
        *_repeats(plan.accounts, "account", lambda each: each.name),
        *_repeats(plan.keys, "id", lambda each: each.ak),
        *_repeats(plan.apps, "id", lambda each: each.appkey),
        *_repeats(plan.apps, "app", lambda each: (each.account, each.name)),
        *_repeats(plan.capabilities, "capability", lambda each: (each.account, each.app, each.capability)),
    ]
    secrets: dict[str, int] = {}
    pairs = [(each.row, each.secret) for each in plan.keys] + [(each.row, each.secret) for each in plan.apps]
    for row, secret in sorted(pairs):
        first = secrets.setdefault(secret, row)
        if first != row:
            problems.append(Problem(row, "secret", Misuse("import.secret_repeated", first=first)))
    packs: dict[Hashable, int] = {}
    for pack in plan.packs:
        first = packs.setdefault((pack.account, pack.app, pack.capability, pack.units, pack.ends), pack.row)
        if first != pack.row:
            problems.append(Problem(pack.row, "", Misuse("import.pack_repeated", first=first)))
    return ordered(problems)


def _repeats(records: Iterable[R], field: str, key: Callable[[R], Hashable]) -> list[Problem]:
    seen: dict[Hashable, int] = {}
    problems = []
    for each in records:
        first = seen.setdefault(key(each), each.row)
        if first != each.row:
            problems.append(Problem(each.row, field, Misuse("import.repeated", first=first)))
    return problems


def against(plan: Plan, existing: Existing, now: datetime) -> list[Problem]:
    """Problems of the records with what the database holds. Pure; `now` decides whether a pack has expired."""
    references = References(plan.apps, existing.apps)
    return ordered(
        [
            *_accounts(plan, existing),
            *_keys(plan, existing),
            *_apps(plan, existing),
            *_capabilities(plan, existing, references),
            *_packs(plan, existing, references, now),
        ]
    )


def ordered(problems: Iterable[Problem]) -> list[Problem]:
    """Problems in order of rows."""
    return sorted(problems, key=lambda each: each.row)


def _accounts(plan: Plan, existing: Existing) -> Iterable[Problem]:
    mains = {each.name for each in plan.accounts if not each.parent}
    mains |= {name for name, account in existing.accounts.items() if account.parent_id is None}
    for each in plan.accounts:
        if each.name in existing.accounts:
            yield Problem(each.row, "account", Misuse("import.account_exists"))
        if each.parent and each.parent not in mains:
            yield Problem(each.row, "parent", Misuse("import.parent_invalid"))


def _unknown_accounts(plan: Plan, existing: Existing, records: Iterable[KeyRecord | AppRecord]) -> Iterable[Problem]:
    known = {each.name for each in plan.accounts} | set(existing.accounts)
    for each in records:
        if each.account not in known:
            yield Problem(each.row, "account", Misuse("import.account_missing"))


def _beyond_limit(
    records: Iterable[KeyRecord | AppRecord], existing: Existing, counts: Mapping[str, int], most: int, refusal: Misuse
) -> Iterable[Problem]:
    """A problem for each record that its account has no place for; `counts` are those of account ids already."""
    held = Counter({name: counts.get(each.id, 0) for name, each in existing.accounts.items()})
    for each in records:
        held[each.account] += 1
        if held[each.account] > most:
            yield Problem(each.row, "account", refusal)


def _keys(plan: Plan, existing: Existing) -> Iterable[Problem]:
    yield from _unknown_accounts(plan, existing, plan.keys)
    yield from _beyond_limit(
        plan.keys, existing, existing.key_counts, KEYS_PER_ACCOUNT, Misuse("key.limit", most=KEYS_PER_ACCOUNT)
    )
    for each in plan.keys:
        if each.ak in existing.access_keys:
            yield Problem(each.row, "id", Misuse("import.key_exists"))


def _apps(plan: Plan, existing: Existing) -> Iterable[Problem]:
    yield from _unknown_accounts(plan, existing, plan.apps)
    yield from _beyond_limit(
        plan.apps, existing, existing.app_counts, APPS_PER_ACCOUNT, Misuse("app.limit", most=APPS_PER_ACCOUNT)
    )
    for each in plan.apps:
        if (each.account, each.name) in existing.apps:
            yield Problem(each.row, "app", Misuse("import.app_exists"))
        if existing.appkeys.get(each.appkey) is False:  # that of a deleted app is used again
            yield Problem(each.row, "id", Misuse("import.appkey_exists"))


def _capabilities(plan: Plan, existing: Existing, references: References) -> Iterable[Problem]:
    first: dict[Hashable, int] = {}
    for each in plan.capabilities:
        fits = references.find(each)
        if len(fits) != 1:
            yield Problem(each.row, "app", _not_one(fits))
            continue
        app = existing.apps.get(fits[0])
        if app is not None and (app.id, each.capability) in existing.opened:
            yield Problem(each.row, "capability", Misuse("import.capability_opened"))
        row = first.setdefault((fits[0], each.capability), each.row)
        if row != each.row:
            yield Problem(each.row, "capability", Misuse("import.repeated", first=row))


def _packs(plan: Plan, existing: Existing, references: References, now: datetime) -> Iterable[Problem]:
    accounts = {each.name for each in plan.accounts} | set(existing.accounts)
    first: dict[Hashable, int] = {}
    for each in plan.packs:
        fits = references.find(each) if each.app else []
        if each.account and each.account not in accounts:
            yield Problem(each.row, "account", Misuse("import.account_missing"))
        elif each.app and len(fits) != 1:
            yield Problem(each.row, "app", _not_one(fits))
        elif each.app:
            row = first.setdefault((fits[0], each.capability, each.units, each.ends), each.row)
            if row != each.row:
                yield Problem(each.row, "", Misuse("import.pack_repeated", first=row))
        if each.ends <= now:
            yield Problem(each.row, "ends", Misuse("import.ends_past"))


def _not_one(fits: Sequence[Key]) -> Misuse:
    """Why a reference to an app is refused: it fits none, or several."""
    return Misuse("import.app_ambiguous", accounts=owners(fits)) if fits else Misuse("import.app_missing")
