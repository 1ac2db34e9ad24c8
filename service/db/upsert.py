"""INSERT … ON CONFLICT for both databases; SQLAlchemy has the statement per dialect."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Executable, and_
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncSession

from inkgate.service.db.base import Base


def dialect_of(session: AsyncSession) -> str:
    """The `dialect` of the statements below: "sqlite" or "postgresql"."""
    return session.get_bind().dialect.name


def insert_or_ignore(dialect: str, model: type[Base]) -> Executable:
    """Insert a row; an existing row with the same key is not changed. `dialect` is "sqlite" or "postgresql"."""
    return _insert(dialect, model).on_conflict_do_nothing()


def insert_or_add(
    dialect: str,
    model: type[Base],
    key: Sequence[str],
    sums: Sequence[str],
    *,
    same: Sequence[str] = (),
    latest: Sequence[str] = (),
) -> Executable:
    """Insert a row, or add its columns `sums` to the row that has the same values in the columns `key`.

    The existing row also gets the new values of the columns `latest`. It is not changed where it has another value in
    one of the columns `same`.
    """
    statement = _insert(dialect, model)
    columns = model.__table__.c
    changed = {name: columns[name] + statement.excluded[name] for name in sums}
    changed |= {name: statement.excluded[name] for name in latest}
    equal = [columns[name] == statement.excluded[name] for name in same]
    return statement.on_conflict_do_update(
        index_elements=list(key), set_=changed, where=and_(*equal) if equal else None
    )


def insert_or_replace(dialect: str, model: type[Base], key: Sequence[str], columns: Sequence[str]) -> Executable:
    """Insert a row, or write its `columns` into the row that has the same values in the columns `key`."""
    statement = _insert(dialect, model)
    written = {name: statement.excluded[name] for name in columns}
    return statement.on_conflict_do_update(index_elements=list(key), set_=written)


def _insert(dialect: str, model: type[Base]) -> postgresql.Insert | sqlite.Insert:
    table: Any = model.__table__  # typed as FromClause, which INSERT does not take
    return sqlite.insert(table) if dialect == "sqlite" else postgresql.insert(table)
