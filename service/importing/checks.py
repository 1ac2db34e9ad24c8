"""Checks of records against each other and against the database. Every problem is reported, in order of rows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from inkgate.service.accounts.models import Account, AppRow
from inkgate.service.accounts.service import APPS_PER_ACCOUNT, KEYS_PER_ACCOUNT
from inkgate.service.db.work import UnitOfWork
from inkgate.service.errors import Misuse
from inkgate.service.importing import repository
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
    """What the database holds of the names and keys in a file; accounts and apps by name, their rows locked."""

    accounts: Mapping[str, Account]
    apps: Mapping[str, AppRow]
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
    app_names = {each.name for each in plan.apps} | {each.app for each in plan.capabilities}
    app_names |= {each.app for each in plan.packs if each.app}
    accounts = await repository.lock_accounts(session, named)
    apps = await repository.live_apps(session, app_names)
    account_ids = {each.id for each in accounts.values()}
    return Existing(
        accounts,
        apps,
        await repository.accounts_by_id(session, {each.account_id for each in apps.values()}),
        frozenset(await repository.known_access_keys(session, {each.ak for each in plan.keys})),
        await repository.known_appkeys(session, {each.appkey for each in plan.apps}),
        await repository.live_key_counts(session, account_ids, now),
        await repository.live_app_counts(session, account_ids),
        frozenset(await repository.opened(session, {each.id for each in apps.values()})),
    )


def within(plan: Plan) -> list[Problem]:
    """Problems among the records of the file: what occurs twice. Pure."""
    problems = [
        *_repeats(plan.accounts, "account", lambda each: each.name),
        *_repeats(plan.keys, "id", lambda each: each.ak),
        *_repeats(plan.apps, "id", lambda each: each.appkey),
        *_repeats(plan.apps, "app", lambda each: each.name),
        *_repeats(plan.capabilities, "capability", lambda each: (each.app, each.capability)),
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
    return ordered(
        [
            *_accounts(plan, existing),
            *_keys(plan, existing),
            *_apps(plan, existing),
            *_capabilities(plan, existing),
            *_packs(plan, existing, now),
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
        if each.name in existing.apps:
            yield Problem(each.row, "app", Misuse("import.app_exists"))
        if existing.appkeys.get(each.appkey) is False:  # that of a deleted app is used again
            yield Problem(each.row, "id", Misuse("import.appkey_exists"))


def _capabilities(plan: Plan, existing: Existing) -> Iterable[Problem]:
    known = {each.name for each in plan.apps} | set(existing.apps)
    for each in plan.capabilities:
        app = existing.apps.get(each.app)
        if each.app not in known:
            yield Problem(each.row, "app", Misuse("import.app_missing"))
        elif app is not None and (app.id, each.capability) in existing.opened:
            yield Problem(each.row, "capability", Misuse("import.capability_opened"))


def _packs(plan: Plan, existing: Existing, now: datetime) -> Iterable[Problem]:
    accounts = {each.name for each in plan.accounts} | set(existing.accounts)
    apps = {each.name for each in plan.apps} | set(existing.apps)
    for each in plan.packs:
        if each.account and each.account not in accounts:
            yield Problem(each.row, "account", Misuse("import.account_missing"))
        if each.app and each.app not in apps:
            yield Problem(each.row, "app", Misuse("import.app_missing"))
        if each.ends <= now:
            yield Problem(each.row, "ends", Misuse("import.ends_past"))
