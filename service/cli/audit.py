"""`inkgate audit`: who changed money or keys."""

from __future__ import annotations

import json

import typer

from inkgate.service.audit import repository as audit_repository
from inkgate.service.cli._common import JSON, Base, find_account, run, table


def audit(
    account: str = typer.Option("", help="Only this account."),
    limit: int = typer.Option(50, min=1, max=10_000),
    as_json: bool = JSON,
) -> None:
    """Show the audit trail, latest first."""

    async def act(base: Base) -> list[tuple[object, ...]]:
        async with base.begin() as unit:
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

    table(("at", "actor", "action", "subject", "detail"), run(act), as_json=as_json)
