"""State changes guarded by the old state, and the translation of database errors.

Two transactions may decide about one row concurrently. On Postgres both read the old state; an UPDATE with that state
in its WHERE waits for the other transaction and then matches no row. On SQLite, with one writer, the same UPDATE works.
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
DATA_EXCEPTION_CLASS = "22"  # SQLSTATE class: data exception


async def add(session: AsyncSession, *rows: Base) -> None:
    """Insert new rows at once, so that later rows may reference them. Raises the errors of the database."""
    session.add_all(rows)
    await session.flush()


async def guarded_update(session: AsyncSession, change: Update) -> bool:
    """Run an UPDATE of one row; False when no row is in the state that its WHERE names.

    Objects in the session are not updated: read them again (`AsyncSession.refresh`).
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
    """Set an empty column of the row matching `where` to a time, or clear it (`at` None).

    False when the column is empty or set already, respectively, or there is no such row.
    """
    current = column.is_(None) if at is not None else column.is_not(None)
    return await guarded_update(session, update(column.class_).where(*where, current).values({column.key: at}))


def refusal_of(error: StatementError | OverflowError | UnicodeEncodeError) -> Misuse | None:
    """The Misuse for an error of the database: a concurrent change, or a value that the column does not accept.

    None for all other errors: a database that cannot be reached, a violated CHECK constraint.
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
