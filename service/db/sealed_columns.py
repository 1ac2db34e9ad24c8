"""Columns with encrypted secrets. A model marks them where it defines them:

    sealed_secret: Mapped[bytes] = mapped_column(info={"sealed_context": "access_key.secret:{ak}"})

The context is authenticated with the secret; `{ak}` is another column of the row. The change of the master key and of
the cipher covers every column that is marked; a test checks that no binary column is unmarked.
"""

from __future__ import annotations

import string
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import MetaData, Table, and_, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

CONTEXT = "sealed_context"  # the name in `info`


@dataclass(frozen=True, slots=True)
class SealedColumn:
    """A column `name` of a table, and the template of its context."""

    table: Table
    name: str
    template: str

    def context(self, row: dict[str, Any]) -> str:
        """The context of the secret in a row, given its key columns."""
        return self.template.format_map(row)

    @property
    def keys(self) -> tuple[str, ...]:
        """The columns of the primary key."""
        return tuple(column.name for column in self.table.primary_key)

    @property
    def needed(self) -> tuple[str, ...]:
        """The columns that are read with a secret: key and context."""
        fields = [name for _, name, _, _ in string.Formatter().parse(self.template) if name]
        return tuple(dict.fromkeys((*self.keys, *fields)))


def sealed_columns(metadata: MetaData) -> tuple[SealedColumn, ...]:
    """All marked columns, in the order of their tables' names."""
    return tuple(
        SealedColumn(table, column.name, column.info[CONTEXT])
        for table in sorted(metadata.tables.values(), key=lambda table: table.name)
        for column in table.columns
        if CONTEXT in column.info
    )


async def heads(session: AsyncSession, column: SealedColumn, length: int) -> set[bytes]:
    """The distinct first `length` bytes of a column's secrets."""
    part = func.substr(column.table.c[column.name], 1, length)
    query = select(part).where(column.table.c[column.name].is_not(None)).distinct()
    return {bytes(each) for each in await session.scalars(query)}


async def lock_others(session: AsyncSession, column: SealedColumn, head: bytes, limit: int) -> list[dict[str, Any]]:
    """At most `limit` rows whose secret does not begin with `head`, locked; key, context and secret of each."""
    cells = column.table.c
    query = (
        select(*(cells[name] for name in column.needed), cells[column.name])
        .where(cells[column.name].is_not(None), func.substr(cells[column.name], 1, len(head)) != head)
        .order_by(*(cells[name] for name in column.keys))
        .limit(limit)
        .with_for_update()
    )
    return [dict(row._mapping) for row in await session.execute(query)]


async def write(session: AsyncSession, column: SealedColumn, rows: Sequence[tuple[dict[str, Any], bytes]]) -> None:
    """Write new secrets into rows that `lock_others` gave."""
    cells = column.table.c
    for row, secret in rows:
        same = and_(*(cells[name] == row[name] for name in column.keys))
        await session.execute(update(column.table).where(same).values({column.name: secret}))
