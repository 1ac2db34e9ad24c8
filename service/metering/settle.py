"""The settlement transaction: lock the meter, skip recorded calls, deduct from packs, write entries, commit.

Every change of packs or entries of a (main account, capability) first locks its meter's row, which serialises these
changes across gateways. SQLite has one writer at a time.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import Enum
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from inkgate.service.db import clock as clocks
from inkgate.service.db.clock import Clock, hour_of
from inkgate.service.metering import chain, statements
from inkgate.service.metering.interface import Settlement
from inkgate.service.metering.packs import FREE_CAPABILITIES, INSUFFICIENT, Deduction, Pack, deduct, refusal_code
from inkgate.service.usage import latency
from inkgate.service.usage.models import BASE_MEASURES

REQUEST_ID_LENGTH = 128


class SettleOutcome(Enum):
    """The outcome of a settlement that was not refused."""

    RECORDED = "recorded"
    ALREADY_RECORDED = "already recorded"


@dataclass(slots=True)
class Meter:
    """A locked meter: the number of entries written so far, the settlement time of this transaction, and the end of
    the chain."""

    account_id: str
    capability: str
    seq: int
    now: datetime
    chain: bytes | None = None
    chain_seq: int | None = None


@dataclass(slots=True)
class BatchResult:
    """The result of a batch: outcome or refusal code per settlement, in order, and the used units per pack id."""

    outcomes: list[SettleOutcome | int] = field(default_factory=list)
    used: dict[str, int] = field(default_factory=dict)


async def lock_meter(connection: AsyncConnection, account_id: str, capability: str, clock: Clock) -> Meter:
    """Lock the meter's row and create it on first use. `now` is never before the last settlement.

    Raises ClockSuspect when the time is not reliable, before anything is written to the meter.
    """
    dialect, key = connection.dialect.name, {"b_account": account_id, "b_capability": capability}
    row = (await connection.execute(statements.lock_meter(dialect), key)).one_or_none()
    if row is None:
        first = {"account_id": account_id, "capability": capability, "seq": 0, "archived_lines": 0}
        first["settled_at"] = await clocks.now(connection, clock)
        await connection.execute(statements.insert_meter(dialect), first)
        row = (await connection.execute(statements.lock_meter(dialect), key)).one()
    now = clocks.monotonic_now(clock(clocks.parse(row[2])), row[1], clock)
    return Meter(account_id, capability, row[0], now, row[3], row[4])


async def admission_meter(connection: AsyncConnection, account_id: str, capability: str, clock: Clock) -> Meter:
    """The result of `lock_meter`, without a lock and without creating a row. Raises ClockSuspect."""
    key = {"b_account": account_id, "b_capability": capability}
    row = (await connection.execute(statements.read_meter(connection.dialect.name), key)).one_or_none()
    if row is None:
        return Meter(account_id, capability, 0, await clocks.now(connection, clock))
    return Meter(account_id, capability, row[0], clocks.monotonic_now(clock(clocks.parse(row[2])), row[1], clock))


async def settle_batch(
    connection: AsyncConnection, account_id: str, capability: str, batch: Sequence[Settlement], clock: Clock
) -> BatchResult:
    """Settle calls of one (main account, capability) inside the caller's transaction; each completely or not at all."""
    meter = await lock_meter(connection, account_id, capability, clock)
    recorded = await _recorded(connection, [each.call_id for each in batch])
    charged = capability not in FREE_CAPABILITIES and any(each.units for each in batch)
    packs = await read_packs(connection, meter, usable=True) if charged else []
    before = {pack.id: pack.used for pack in packs}
    all_packs: list[Pack] | None = None
    result, lines = BatchResult(), list[dict[str, Any]]()
    for settlement in batch:
        call_id = str(UUID(settlement.call_id))
        if call_id in recorded:
            result.outcomes.append(SettleOutcome.ALREADY_RECORDED)
            continue
        deductions: list[Deduction] | None = []
        if charged and settlement.units:
            deductions = deduct(packs, settlement.app_id, settlement.units, meter.now)
        if deductions is None:
            if all_packs is None:
                all_packs = await read_packs(connection, meter, usable=False)
            result.outcomes.append(_refusal_code(all_packs, packs, settlement, meter.now))
            continue
        recorded.add(call_id)
        lines += entries(meter, settlement, call_id, deductions, len(lines))
        result.outcomes.append(SettleOutcome.RECORDED)
    result.used = {pack.id: pack.used for pack in packs}
    if lines:
        meter.chain, meter.chain_seq = chain.extend(meter.chain, meter.chain_seq, lines)
        changes = [use_of(pack, before[pack.id], meter.now) for pack in packs if pack.used != before[pack.id]]
        await write_entries(connection, meter, lines, changes)
    return result


async def read_packs(connection: AsyncConnection, meter: Meter, *, usable: bool) -> list[Pack]:
    """The packs of a meter in order of purchase: `usable` ones, or all that were not refunded."""
    key: dict[str, Any] = {"b_account": meter.account_id, "b_capability": meter.capability}
    if not usable:
        return [Pack(*row) for row in await connection.execute(statements.ALL_PACKS, key)]
    return [Pack(*row) for row in await connection.execute(statements.USABLE_PACKS, key | {"b_now": meter.now})]


async def _recorded(connection: AsyncConnection, call_ids: Sequence[str]) -> set[str]:
    parameters = {"b_low": min(call_ids), "b_high": max(call_ids), "b_ids": list(call_ids)}
    return set(await connection.scalars(statements.recorded(connection.dialect.name), parameters))


def _refusal_code(all_packs: Iterable[Pack], packs: Iterable[Pack], settlement: Settlement, now: datetime) -> int:
    current = {pack.id: pack for pack in packs}  # deductions of this batch are not in the database yet
    merged = [current.get(pack.id, pack) for pack in all_packs]
    return refusal_code(merged, settlement.app_id, settlement.units, now) or INSUFFICIENT


def entries(
    meter: Meter, settlement: Settlement, call_id: str, deductions: list[Deduction], written: int
) -> list[dict[str, Any]]:
    """The ledger entries of one call, without their hashes; `written` entries of this transaction come before them."""
    first: dict[str, Any] = {
        "call_id": call_id,
        "line": 0,
        "seq": meter.seq + written + 1,
        "settled_at": meter.now,
        "account_id": meter.account_id,
        "app_id": settlement.app_id,
        "capability": meter.capability,
        "pack_id": deductions[0].pack_id if deductions else None,
        "first_unit": deductions[0].first_unit if deductions else None,
        "units": deductions[0].units if deductions else settlement.units,
        "images": settlement.images,
        "failed_images": settlement.failed_images,
        "code": settlement.code,
        "body_bytes": settlement.body_bytes,
        "duration_ms": settlement.duration_ms,
        "client_ip": settlement.client_ip[:45],
        "request_id": settlement.request_id.replace("\0", "")[:REQUEST_ID_LENGTH],
    }
    further = {"images": 0, "failed_images": 0, "body_bytes": 0, "duration_ms": 0}
    return [first] + [
        first
        | further
        | {
            "line": number,
            "seq": first["seq"] + number,
            "pack_id": each.pack_id,
            "first_unit": each.first_unit,
            "units": each.units,
        }
        for number, each in enumerate(deductions[1:], 1)
    ]


def use_of(pack: Pack, before: int, now: datetime) -> dict[str, Any]:
    """The change of a pack whose used units were `before`, as the parameters of USE_PACK."""
    exhausted_at = now if pack.used == pack.total else None
    return {"b_id": pack.id, "b_used": before, "used": pack.used, "exhausted_at": exhausted_at}


async def write_entries(
    connection: AsyncConnection, meter: Meter, lines: list[dict[str, Any]], changes: Iterable[dict[str, Any]]
) -> None:
    """Write chained entries of a locked meter, the changes of their packs, and the meter with the new end of its chain.

    Raises RuntimeError when a pack was changed without the meter's lock.
    """
    await connection.execute(statements.INSERT_LINES, lines)
    for change in changes:
        result = await connection.execute(statements.USE_PACK, change)
        if result.rowcount != 1:  # the batch must not be committed
            raise RuntimeError(f"pack {change['b_id']} was changed without its meter")
    key = {"b_account": meter.account_id, "b_capability": meter.capability}
    end = {"chain": meter.chain, "chain_seq": meter.chain_seq}
    advance = {"seq": meter.seq + len(lines), "settled_at": meter.now} | end
    await connection.execute(statements.ADVANCE_METER, key | advance)
    await connection.execute(statements.add_hours(connection.dialect.name), hours(lines))


def hours(lines: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Hourly rows of these entries, by the hour of their settlement."""
    sums: dict[tuple[Any, ...], dict[str, Any]] = {}
    for line in lines:
        hour = hour_of(line["settled_at"])
        key = (hour, line["app_id"], line["capability"], line["code"])
        row = sums.get(key)
        if row is None:
            row = sums[key] = dict(zip(statements.HOUR_KEY, key, strict=True)) | dict.fromkeys(
                statements.HOUR_MEASURES, 0
            )
            row["account_id"] = line["account_id"]
        if line["line"] == 0:
            row["calls"] += 1
            row[latency.column(line["duration_ms"])] += 1
        for name in BASE_MEASURES[1:]:
            row[name] += line[name]
    return list(sums.values())


def normalised(settlement: Settlement) -> Settlement:
    """The settlement with its call id in canonical form."""
    return replace(settlement, call_id=str(UUID(settlement.call_id)))
