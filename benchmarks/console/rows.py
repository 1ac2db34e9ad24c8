"""A million hourly statistics rows for one customer: 90 days, every app, capability and code in each hour."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Column, Integer, MetaData, String, Table, insert, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from inkgate.service.contract.capabilities import CAPABILITIES
from inkgate.service.db.base import UtcDateTime, identifier
from inkgate.service.usage import latency
from inkgate.service.usage.models import HourRow, RefusalRow

DAYS = 90
FAULTS = 6  # status codes other than 0 per app, capability and hour
REFUSED = (51002, 42900)
DURATIONS_MS = (57, 160, 453, 1280, 3620)  # one per latency bucket in use

_meta = MetaData()
HOURS = Table("bench_hour", _meta, Column("n", Integer), Column("hour", UtcDateTime()))
APPS = Table("bench_app", _meta, Column("n", Integer), Column("id", identifier()), Column("account", identifier()))
CODES = Table("bench_code", _meta, Column("n", Integer), Column("capability", String), Column("code", Integer))
REFUSALS = Table("bench_refusal", _meta, Column("n", Integer), Column("capability", String), Column("code", Integer))


@dataclass(frozen=True, slots=True)
class Customer:
    """The account that owns all rows, and its apps."""

    account_id: str
    apps: tuple[str, ...]


async def fill(engine: AsyncEngine, who: Customer, now: datetime, *, days: int = DAYS, calls: int = 100_000) -> int:
    """Insert `days` days of hourly rows up to `now`, refused calls, and `calls` ledger lines.

    Returns the number of hourly rows.
    """
    async with engine.begin() as connection:
        await connection.run_sync(_meta.create_all)
        await _dimensions(connection, who, now, days)
        rows = await _hours(connection)
        await _refusals(connection)
        await _lines(connection, who, now, calls)
        await connection.run_sync(_meta.drop_all)
    if engine.dialect.name == "postgresql":
        async with engine.connect() as connection:
            plain = await connection.execution_options(isolation_level="AUTOCOMMIT")
            await plain.execute(text("VACUUM ANALYZE"))
    return rows


async def _dimensions(connection: AsyncConnection, who: Customer, now: datetime, days: int) -> None:
    top = now.replace(minute=0, second=0, microsecond=0)
    hours = [{"n": n, "hour": top - timedelta(hours=n)} for n in range(days * 24)]
    apps = [{"n": n, "id": app, "account": who.account_id} for n, app in enumerate(who.apps)]
    codes = []
    for number, capability in enumerate(CAPABILITIES.values()):
        known = sorted({fault.code for fault in capability.faults.values()})[:FAULTS]
        codes += [{"n": number + n, "capability": capability.name, "code": code} for n, code in enumerate((0, *known))]
    refused = [{"n": n, "capability": name, "code": code} for name in CAPABILITIES for n, code in enumerate(REFUSED)]
    for table, rows in ((HOURS, hours), (APPS, apps), (CODES, codes), (REFUSALS, refused)):
        await connection.execute(insert(table), rows)


async def _hours(connection: AsyncConnection) -> int:
    """Insert hourly rows with consistent sums: calls spread over DURATIONS_MS, one image each, one in seven fails."""
    share = "(7 + (h.n * 37 + a.n * 11 + c.n * 5) % 23)"
    calls = f"{share} * {len(DURATIONS_MS)}"
    known = {
        "hour": "h.hour",
        "app_id": "a.id",
        "capability": "c.capability",
        "code": "c.code",
        "account_id": "a.account",
        "calls": calls,
        "images": calls,
        "failed_images": f"{share} / 7",
        "units": calls,
        "body_bytes": f"{calls} * 180000",
        "duration_ms": f"{share} * {sum(DURATIONS_MS)}",
        **{latency.column(ms): share for ms in DURATIONS_MS},
    }
    query = f"SELECT {', '.join(known.values())} FROM bench_hour h, bench_app a, bench_code c"
    return await _insert(connection, HourRow, known, query + " ORDER BY h.hour, a.id")


async def _refusals(connection: AsyncConnection) -> int:
    known = {
        "hour": "h.hour",
        "app_id": "a.id",
        "capability": "r.capability",
        "code": "r.code",
        "account_id": "a.account",
        "calls": "1 + (h.n + a.n) % 5",
    }
    query = f"SELECT {', '.join(known.values())} FROM bench_hour h, bench_app a, bench_refusal r"
    return await _insert(connection, RefusalRow, known, query)


async def _insert(connection: AsyncConnection, row: Any, known: dict[str, str], query: str) -> int:
    statement = f"INSERT INTO {row.__tablename__} ({', '.join(known)}) {query}"
    return (await connection.execute(text(statement))).rowcount


async def _lines(connection: AsyncConnection, who: Customer, now: datetime, calls: int) -> None:
    """Insert `calls` ledger entries of the last 90 days, spread over apps and capabilities."""
    postgres = connection.dialect.name == "postgresql"
    step = DAYS * 86_400_000 // max(calls, 1)  # milliseconds
    ms = f"({int(now.timestamp() * 1000)} - CAST({step} AS BIGINT) * ({calls} - n))"
    names = tuple(CAPABILITIES)
    known = {
        "call_id": f"CAST(lpad(to_hex({ms}), 12, '0') || '70008' || lpad(to_hex(n), 15, '0') AS uuid)"
        if postgres
        else f"printf('%012x70008%015x', {ms}, n)",
        "line": "0",
        "seq": f"n / {len(names)} + 1",
        "account_id": "a.account",
        "settled_at": f"to_timestamp({ms} / 1000.0)"
        if postgres
        else f"strftime('%Y-%m-%d %H:%M:%f000', {ms} / 1000.0, 'unixepoch')",
        "app_id": "a.id",
        "capability": f"CASE n % {len(names)} "
        + " ".join(f"WHEN {at} THEN '{name}'" for at, name in enumerate(names))
        + " END",
        "units": "1",
        "images": "1",
        "failed_images": "0",
        "code": "0",
        "body_bytes": "180000",
        "duration_ms": "320",
        "client_ip": "'10.' || n % 7 || '.' || n % 50 || '.9'",
        "request_id": "'r'",
    }
    numbers = f"WITH RECURSIVE numbers(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM numbers WHERE n < {calls - 1})"
    chosen = f"SELECT {', '.join(known.values())} FROM numbers JOIN bench_app a ON a.n = numbers.n % {len(who.apps)}"
    chosen = re.sub(r"(?<![\w.])n(?![\w'(])", "numbers.n", chosen)
    await connection.execute(text(f"INSERT INTO usage_record ({', '.join(known)}) {numbers} {chosen}"))
