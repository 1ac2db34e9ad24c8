"""`inkgate usage`: totals of calls by app, capability, code and account."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated

import typer

from inkgate.service.audit import trail
from inkgate.service.cli._common import JSON, CommandContext, find_account, print_table, run
from inkgate.service.cli.ledger import Since, Until, beijing
from inkgate.service.errors import Misuse
from inkgate.service.usage import repository
from inkgate.service.usage.repository import DIMENSIONS, Scope


def usage(
    account: str = typer.Option("", help="Only this account with its sub-accounts."),
    by: Annotated[str, typer.Option(help="Dimensions: app, capability, code, account.")] = "capability,code",
    since: Since = None,
    until: Until = None,
    as_json: bool = JSON,
) -> None:
    """Sum up calls from the hourly sums, most calls first; without dates, of the last 30 days."""
    names = [name for name in by.split(",") if name]
    if any(name not in DIMENSIONS for name in names):
        raise Misuse("usage.dimension_unknown", choices=tuple(DIMENSIONS))

    async def action(context: CommandContext) -> list[tuple[object, ...]]:
        async with context.begin() as unit:
            now = await unit.now()
            end: datetime = beijing(until) or now
            payer = None
            await trail.record_look(unit, "cli.view", "usage statistics", None)
            if account:
                found = await find_account(unit, account)
                payer = found.parent_id or found.id
            scope = Scope(beijing(since) or end - timedelta(days=30), end, payer)
            sums = await repository.totals(unit.session, scope, names)
        return [
            (
                *each.key,
                each.calls,
                each.images,
                each.failed_images,
                each.units,
                each.body_bytes,
                round(each.mean_ms or 0),
                each.refused,
            )
            for each in sums
        ]

    columns = (*names, "calls", "images", "failed", "units", "bytes", "mean ms", "refused")
    print_table(columns, run(action), as_json=as_json)
