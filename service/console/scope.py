"""Visible accounts of a customer's user: a main account with its sub-accounts, or the sub-account itself."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from inkgate.service.accounts import repository as accounts
from inkgate.service.accounts.models import Account, AppRow
from inkgate.service.console import repository
from inkgate.service.console.app_labels import ID_DIGITS, NamedApp, labels
from inkgate.service.console.page_request import NotFound
from inkgate.service.db import ids
from inkgate.service.db.clock import BEIJING
from inkgate.service.db.work import UnitOfWork
from inkgate.service.usage import repository as usage

PERIODS = (1, 7, 30, 90)
"""Periods of the statistics, in days."""

MAX_CHOICES = 200  # apps in a field to choose from; the tables lead to the others


@dataclass(frozen=True, slots=True)
class Family:
    """Accounts whose apps are named together; apps of `home_id` are named without their account."""

    home_id: str
    account_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class VisibleAccounts:
    """`main_id` pays and owns the packs; `account_ids` own the apps that are visible; `choices` maps the ids of apps to
    choose from, the newest ones and the chosen one, to the text that names each."""

    main_id: str
    account_ids: tuple[str, ...]
    sub_id: str | None
    choices: dict[str, str]

    @property
    def family(self) -> Family:
        return Family(self.sub_id or self.main_id, self.account_ids)

    def usage_scope(self, span: Period, *, app_id: str = "", capability: str = "") -> usage.Scope:
        """The scope of a statistics query for a span. An app that is no choice gives an empty scope."""
        wanted = None if not app_id else [app_id] if app_id in self.choices else []
        return usage.Scope(span.since, span.until, self.main_id, wanted, capability or None, self.sub_id)


@dataclass(frozen=True, slots=True)
class Period:
    """A period of whole hours (one day) or whole days in Beijing time that ends with the current one."""

    days: int
    since: datetime
    until: datetime

    @property
    def hourly(self) -> bool:
        return self.days == 1

    def steps(self) -> list[datetime]:
        """The start of each hour or day, timezone-aware, in Beijing time."""
        step = timedelta(hours=1) if self.hourly else timedelta(days=1)
        first = self.since.astimezone(BEIJING)
        return [first + step * index for index in range(round((self.until - self.since) / step))]

    @property
    def step(self) -> str:
        """The dimension of the statistics for a step: "hour" or "day"."""
        return "hour" if self.hourly else "day"

    def step_of(self, hour: datetime) -> datetime:
        """The step that contains an hour of the totals."""
        local = hour.astimezone(BEIJING)
        return local if self.hourly else local.replace(hour=0)

    def label(self, step: datetime) -> str:
        return step.strftime("%H:%M") if self.hourly else step.strftime("%m-%d")


async def scope_of(unit: UnitOfWork, account: Account, chosen: str = "") -> VisibleAccounts:
    """The accounts and apps visible to the users of this account. `chosen`: the id of an app that a filter names."""
    family = await family_of(unit, account)
    apps = await repository.newest_apps(unit.session, family.account_ids, MAX_CHOICES)
    if ids.is_canonical_uuid(chosen) and chosen not in {each.app_id for each in apps}:
        apps += await repository.named_apps(unit.session, [chosen], family.account_ids)
    choices = await _labels(unit, apps, family)
    sub_id = account.id if account.parent_id else None
    return VisibleAccounts(account.parent_id or account.id, family.account_ids, sub_id, choices)


async def family_of(unit: UnitOfWork, account: Account) -> Family:
    """An account with its sub-accounts."""
    if account.parent_id:
        return Family(account.id, (account.id,))
    return Family(account.id, tuple(await accounts.family_ids(unit.session, account.id)))


async def app_labels(unit: UnitOfWork, app_ids: Iterable[str], family: Family) -> dict[str, str]:
    """App id → the text that names it, for those of these apps, deleted ones too, that are of the family.

    The text is different from that of the others here and of the live apps of the family. The number of statements
    grows only with the apps that are asked for.
    """
    apps = await repository.named_apps(unit.session, sorted(set(app_ids)), family.account_ids)
    return await _labels(unit, apps, family)


async def _labels(unit: UnitOfWork, apps: list[NamedApp], family: Family) -> dict[str, str]:
    several = len(family.account_ids) > 1  # names of live apps of one account are unique
    names = sorted({each.name for each in apps if several or each.deleted})
    live = await repository.live_apps_named(unit.session, names, family.account_ids)
    return labels(apps, family.home_id, live)


async def app_names(unit: UnitOfWork, app_ids: Iterable[str], family: Family) -> Callable[[str], str]:
    """The text that names each of these apps if it is of the family; of another one the end of its id."""
    names = await app_labels(unit, app_ids, family)
    return lambda app_id: names.get(app_id, app_id[-ID_DIGITS:])


def span_of(days: str, now: datetime) -> Period:
    """The span of the query parameter `days`; a week for any value not in PERIODS."""
    count = next((each for each in PERIODS if str(each) == days), 7)
    local = now.astimezone(BEIJING)
    if count == 1:
        until = local.replace(minute=0, second=0, microsecond=0) + timedelta(hours=1)
    else:
        until = local.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
    return Period(count, until - timedelta(days=count), until)


async def visible_app(unit: UnitOfWork, scope: VisibleAccounts, app_id: str) -> AppRow:
    """The live app with this id. Raises NotFound if it does not exist or is not visible."""
    app = await accounts.app(unit.session, app_id) if len(app_id) == 36 else None
    if app is None or app.deleted_at is not None or app.account_id not in scope.account_ids:
        raise NotFound
    return app
