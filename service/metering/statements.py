"""The statements of the settlement transaction, built once: building and hashing them per call would cost more than
running them. Parameters have the names of their columns, with the prefix `b_` in WHERE clauses."""

from __future__ import annotations

from functools import cache
from typing import Any

from sqlalchemy import Executable, Select, Uuid, any_, bindparam, insert, select, update
from sqlalchemy.dialects import postgresql

from inkgate.service.db import clock as clocks
from inkgate.service.db import upsert
from inkgate.service.db.base import UtcDateTime
from inkgate.service.metering.models import ACTIVE, MeterRow, PackRow
from inkgate.service.usage import latency
from inkgate.service.usage.models import BASE_MEASURES, HourRow, RecordRow

HOUR_MEASURES = (*BASE_MEASURES, *latency.COLUMNS)
HOUR_KEY = ("hour", "app_id", "capability", "code")

_meter, _pack = MeterRow.__table__.c, PackRow.__table__.c
_this_meter = (
    _meter.account_id == bindparam("b_account", type_=Uuid(as_uuid=False)),
    _meter.capability == bindparam("b_capability"),
)

ALL_PACKS = (
    select(_pack.id, _pack.app_id, _pack.total, _pack.used, _pack.starts_at, _pack.ends_at)
    .where(
        _pack.account_id == bindparam("b_account", type_=Uuid(as_uuid=False)),
        _pack.capability == bindparam("b_capability"),
        _pack.state == ACTIVE,
    )
    .order_by(_pack.ordered_at, _pack.id)
)
"""Every pack that was not refunded, in order of purchase."""

USABLE_PACKS = ALL_PACKS.where(_pack.exhausted_at.is_(None), _pack.ends_at > bindparam("b_now", type_=UtcDateTime()))
"""Packs that may have units left."""

INSERT_LINES = insert(RecordRow.__table__)  # type: ignore[arg-type]

USE_PACK = (
    update(PackRow.__table__)  # type: ignore[arg-type]
    .where(
        _pack.id == bindparam("b_id", type_=Uuid(as_uuid=False)),
        _pack.used == bindparam("b_used"),
        _pack.state == ACTIVE,
    )
    .values(used=bindparam("used"), exhausted_at=bindparam("exhausted_at"))
)

ADVANCE_METER = (
    update(MeterRow.__table__)  # type: ignore[arg-type]
    .where(*_this_meter)
    .values(
        seq=bindparam("seq"),
        settled_at=bindparam("settled_at"),
        chain=bindparam("chain"),
        chain_seq=bindparam("chain_seq"),
    )
)


@cache
def read_meter(dialect: str) -> Select[Any]:
    """The meter's row: seq, time of the last settlement, the database's time, and the end of the chain."""
    columns = (_meter.seq, _meter.settled_at, clocks.now_column(dialect), _meter.chain, _meter.chain_seq)
    return select(*columns).where(*_this_meter)


@cache
def lock_meter(dialect: str) -> Executable:
    """The same, with the row locked."""
    return read_meter(dialect).with_for_update()


@cache
def insert_meter(dialect: str) -> Executable:
    """Insert a meter's row unless it exists."""
    return upsert.insert_or_ignore(dialect, MeterRow)


@cache
def recorded(dialect: str) -> Executable:
    """Which of the call ids are in the ledger. The bounds let Postgres prune the partitions of other days."""
    call_id = RecordRow.__table__.c.call_id
    low, high = (bindparam(name, type_=Uuid(as_uuid=False)) for name in ("b_low", "b_high"))
    query = select(call_id).where(RecordRow.__table__.c.line == 0, call_id >= low, call_id <= high)
    if dialect == "postgresql":  # one text for any number of ids, so that it stays prepared
        return query.where(call_id == any_(bindparam("b_ids", type_=postgresql.ARRAY(Uuid(as_uuid=False)))))
    return query.where(call_id.in_(bindparam("b_ids", expanding=True, type_=Uuid(as_uuid=False))))


@cache
def add_hours(dialect: str) -> Executable:
    """Add to the hourly totals."""
    return upsert.insert_or_add(dialect, HourRow, HOUR_KEY, HOUR_MEASURES)
