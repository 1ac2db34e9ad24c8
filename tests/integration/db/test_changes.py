"""States change only by guarded UPDATEs; errors of the database become Misuse, on both databases."""

from __future__ import annotations

import ast
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from sqlalchemy import ColumnElement, func, select, text, update
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine

from inkgate import service
from inkgate.service.accounts.models import Account
from inkgate.service.db import ids, work
from inkgate.service.db.changes import guarded_update
from inkgate.service.errors import Misuse
from inkgate.service.metering.models import MeterRow

SERVICE = Path(service.__file__).parent
STATES = {
    "state",
    "disabled_at",
    "suspended_at",
    "deleted_at",
    "decided_at",
    "decided_by",
    "refunded_seq",
    "order_id",
}
"""Columns that say how an order, a refund, a pack, a voucher, a user, a token, an app, a key or an account stands."""


def assigned(tree: ast.AST) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(tree):
        targets = node.targets if isinstance(node, ast.Assign) else []
        if isinstance(node, ast.AugAssign | ast.AnnAssign):
            targets = [node.target]
        flat = [each for target in targets for each in (target.elts if isinstance(target, ast.Tuple) else [target])]
        found |= {each.attr for each in flat if isinstance(each, ast.Attribute)}
    return found


def test_no_state_is_set_on_a_row_that_was_read_before() -> None:
    assert "state" in assigned(ast.parse("a.b, row.state = 1, 2"))
    packages = [SERVICE / name for name in ("accounts", "admin", "cli", "console", "metering", "orders", "users")]
    for path in (path for package in packages for path in package.rglob("*.py")):
        set_here = assigned(ast.parse(path.read_text("utf-8"))) & STATES
        assert not set_here, (
            f"{path.relative_to(SERVICE)} sets {set_here}: use inkgate.service.db.changes.guarded_update"
        )


async def test_an_update_applies_only_to_the_state_in_its_where(engine: AsyncEngine) -> None:
    now = datetime(2026, 3, 1, tzinfo=UTC)
    async with work.unit_of_work(engine, "test") as unit:
        row = Account(id=ids.new(), name="one", created_at=now)
        unit.session.add(row)
        await unit.session.flush()
        change = update(Account).where(Account.id == row.id, Account.suspended_at.is_(None)).values(suspended_at=now)
        assert await guarded_update(unit.session, change)
        assert not await guarded_update(unit.session, change)


@pytest.mark.parametrize("clash", ["unique", "foreign key"])
async def test_a_row_that_another_user_made_first_is_a_refusal(engine: AsyncEngine, clash: str) -> None:
    now = datetime(2026, 3, 1, tzinfo=UTC)
    with pytest.raises(Misuse, match="at the same time"):
        async with work.unit_of_work(engine, "test") as unit:
            parent = ids.new() if clash == "foreign key" else None
            for _ in range(2):
                unit.session.add(Account(id=ids.new(), name="one", parent_id=parent, created_at=now))


@pytest.mark.parametrize(
    "value",
    [
        Account.created_at < datetime(2026, 3, 1),
        Account.name == "half a \ud800",
        MeterRow.seq == 2**70,
        Account.created_at < datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=14))),
    ],
    ids=["no zone", "half a character", "more than 64 bits", "before all years"],
)
@pytest.mark.parametrize("way", ["reading", "begin"])
async def test_an_invalid_value_is_a_misuse(engine: AsyncEngine, value: ColumnElement[bool], way: str) -> None:
    async def ask() -> None:
        if way == "reading":
            async with work.read_session(engine) as session:
                await session.scalar(select(func.count()).where(value))
        else:
            async with work.unit_of_work(engine, "test") as unit:
                await unit.session.scalar(select(func.count()).where(value))

    with pytest.raises(Misuse, match="cannot be stored"):
        await ask()


async def test_a_wrong_statement_stays_an_internal_error(engine: AsyncEngine) -> None:
    with pytest.raises(SQLAlchemyError):
        async with work.unit_of_work(engine, "test") as unit:
            await unit.session.execute(text("SELECT nothing FROM nowhere"))
