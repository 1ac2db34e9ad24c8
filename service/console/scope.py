"""Visible accounts of a customer's user: a main account with its sub-accounts, or the sub-account itself."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from inkgate.service.accounts import repository as accounts
from inkgate.service.accounts.models import Account, AppRow
from inkgate.service.console import repository
from inkgate.service.console.app_labels import labels
from inkgate.service.console.page_request import NotFound
from inkgate.service.db.clock import BEIJING
from inkgate.service.db.work import UnitOfWork
from inkgate.service.usage import repository as usage

PERIODS = (1, 7, 30, 90)
"""Periods of the statistics, in days."""


@dataclass(frozen=True, slots=True)
class VisibleAccounts:
    """`main_id` pays and owns the packs; `account_ids` own the apps that are visible; `names` maps the id of an app to
    the text that names it, different for each; `account_names` are by id."""

    main_id: str
    account_ids: tuple[str, ...]
    sub_id: str | None
    names: dict[str, str]
    account_names: dict[str, str]

    def usage_scope(self, span: Period, *, app_id: str = "", capability: str = "") -> usage.Scope:
        """The scope of a statistics query for a span. An app that is not visible gives an empty scope."""
        wanted = None if not app_id else [app_id] if app_id in self.names else []
        return usage.Scope(span.since, span.until, self.main_id, wanted, capability or None, self.sub_id)

    def name(self, app_id: str) -> str:
        return self.names.get(app_id, app_id[:8])


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


async def scope_of(unit: UnitOfWork, account: Account) -> VisibleAccounts:
    """The accounts and apps visible to the users of this account."""
    family = [account] if account.parent_id else await accounts.account_with_subaccounts(unit.session, account.id)
    members = tuple(each.id for each in family)
    names = labels(await repository.apps_of(unit.session, members), account.id)
    sub_id = account.id if account.parent_id else None
    return VisibleAccounts(
        account.parent_id or account.id, members, sub_id, names, {each.id: each.name for each in family}
    )


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
