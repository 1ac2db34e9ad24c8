"""Changes of state that name the state they leave, and what a database's refusal of a value means.

Two people may decide about one thing at once. Postgres lets both read the old state; an UPDATE whose WHERE names that
state waits for the other one and then finds it gone. SQLite has one writer at a time, and the same UPDATE serves it.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, CursorResult, Update, update
from sqlalchemy.exc import IntegrityError, StatementError
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute

from inkgate.service.db.base import Base
from inkgate.service.errors import Misuse

CONFLICT_STATES = ("23505", "23503")  # SQLSTATE: unique and foreign key violations
CONFLICT_NAMES_SQLITE = ("SQLITE_CONSTRAINT_UNIQUE", "SQLITE_CONSTRAINT_PRIMARYKEY", "SQLITE_CONSTRAINT_FOREIGNKEY")
DATA_EXCEPTION_CLASS = "22"  # the class of SQLSTATEs for data that a column does not take


async def add(session: AsyncSession, *rows: Base) -> None:
    """Insert new rows at once, so that a row which names them may follow. Raises what the database refuses."""
    session.add_all(rows)
    await session.flush()


async def guarded_update(session: AsyncSession, change: Update) -> bool:
    """Run an UPDATE of one row; False when no row is in the state that its WHERE names.

    Rows that the session holds are not changed by it: read them again (`AsyncSession.refresh`).
    """
    result = await session.execute(change.execution_options(synchronize_session=False))
    assert isinstance(result, CursorResult)
    return result.rowcount == 1


async def set_or_clear(
    session: AsyncSession,
    column: InstrumentedAttribute[datetime | None],
    at: datetime | None,
    *where: ColumnElement[bool],
) -> bool:
    """Write an instant into an empty column of the row that `where` names, or None over an instant.

    False when the column is empty (`at` None) or filled (`at` an instant) already, or there is no such row.
    """
    current = column.is_(None) if at is not None else column.is_not(None)
    return await guarded_update(session, update(column.class_).where(*where, current).values({column.key: at}))


def refusal_of(error: StatementError | OverflowError | UnicodeEncodeError) -> Misuse | None:
    """The Misuse that an error of the database stands for: somebody else was first, or a value that no column takes.

    None for everything else: a database out of reach, a CHECK that we broke ourselves.
    """
    cause: Any = error.orig if isinstance(error, StatementError) else error  # SQLite's driver raises some bare
    while cause is not None:
        state = str(getattr(cause, "sqlstate", None) or "")
        name = getattr(cause, "sqlite_errorname", "")
        if isinstance(error, IntegrityError) and (state in CONFLICT_STATES or name in CONFLICT_NAMES_SQLITE):
            return Misuse("database.changed_meanwhile")
        if state.startswith(DATA_EXCEPTION_CLASS) or isinstance(cause, ValueError | OverflowError):
            return Misuse("database.value_invalid")
        cause = cause.__cause__
    return None
