"""Thresholds of an account in place of those of the settings."""

from __future__ import annotations

from dataclasses import asdict

from inkgate.service.accounts import service as accounts
from inkgate.service.audit import trail
from inkgate.service.db.work import UnitOfWork
from inkgate.service.errors import Misuse
from inkgate.service.notices import conditions, repository
from inkgate.service.notices.kinds import Thresholds
from inkgate.service.settings import Notices

MAX_PERCENT, MAX_DAYS = 100, 365


async def of(work: UnitOfWork, settings: Notices, account_id: str) -> tuple[Thresholds, bool]:
    """The thresholds in force for a main account, and whether they are its own. Raises Misuse."""
    await main_account(work, account_id)
    row = await repository.threshold(work.session, account_id)
    return conditions.thresholds(settings, row), row is not None


async def set_own(work: UnitOfWork, account_id: str, wanted: Thresholds | None) -> None:
    """Give a main account its own thresholds; None: those of the settings again. Raises Misuse."""
    await main_account(work, account_id)
    if wanted is not None:
        if not 0 <= wanted.low_percent <= MAX_PERCENT:
            raise Misuse("notice.percent_out_of_range", most=MAX_PERCENT)
        if not (0 <= wanted.low_days <= MAX_DAYS and 0 <= wanted.expiry_days <= MAX_DAYS):
            raise Misuse("notice.days_out_of_range", most=MAX_DAYS)
    await repository.replace_threshold(work.session, account_id, wanted)
    detail = asdict(wanted) if wanted is not None else {}
    await trail.record(work, "notice.thresholds", f"account {account_id}", account_id, **detail)


async def main_account(work: UnitOfWork, account_id: str) -> None:
    """Raises Misuse unless the account exists and is a main account."""
    account = await accounts.get_account(work, account_id)
    if account.parent_id is not None:
        raise Misuse("notice.sub_account")
