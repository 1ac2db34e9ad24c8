"""`inkgate audit`: the audit trail."""

from __future__ import annotations

import json

import typer

from inkgate.service.audit import repository as audit_repository
from inkgate.service.cli._common import JSON, CommandContext, find_account, print_table, run


def audit(
    account: str = typer.Option("", help="Only this account."),
    limit: int = typer.Option(50, min=1, max=10_000),
    as_json: bool = JSON,
) -> None:
    """Show the audit trail, latest first."""

    async def action(context: CommandContext) -> list[tuple[object, ...]]:
        async with context.begin() as unit:
            owner = (await find_account(unit, account)).id if account else None
            events = await audit_repository.events(unit.session, account_id=owner, limit=limit)
        return [
            (
                each.at,
                each.actor,
                each.action,
                each.subject,
                each.detail if as_json else json.dumps(each.detail, ensure_ascii=False),
            )
            for each in events
        ]

    print_table(("at", "actor", "action", "subject", "detail"), run(action), as_json=as_json)
