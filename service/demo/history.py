"""Writes traffic as the product would have it now: hourly totals of all hours, ledger entries of the last days.

Older entries are gone as after retention: packs and meters count them as archived (ADR 0032). The entries that are left
are settled by the ledger's own code, one batch for each hour, at the time of that hour.
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from inkgate.service.db import ids
from inkgate.service.db.clock import Clock
from inkgate.service.demo import repository
from inkgate.service.demo.callers import address
from inkgate.service.demo.customers import Customers
from inkgate.service.demo.traffic import HourTraffic, spread
from inkgate.service.metering import chain
from inkgate.service.metering.interface import Settlement
from inkgate.service.metering.models import PackRow
from inkgate.service.metering.packs import FREE_CAPABILITIES, deduct
from inkgate.service.metering.settle import entries, lock_meter, read_packs, use_of, write_entries
from inkgate.service.usage import latency
from inkgate.service.usage import repository as usage
from inkgate.service.usage.models import UNKNOWN_ID

HOUR = timedelta(hours=1)
SETTLED_FROM = 0.5  # of the hour: the calls of an hour have one time of settlement
BAD_SIGNATURE = 10020  # its app is not known


async def write_archived(
    connection: AsyncConnection, customers: Customers, rows: Sequence[HourTraffic], packs: Sequence[PackRow]
) -> None:
    """Write calls whose entries retention has deleted. `packs` are those of the payers in order of use."""
    await repository.add_hours(connection, [_hour_row(customers, each) for each in rows])
    by_meter: dict[tuple[str, str], list[HourTraffic]] = defaultdict(list)
    for each in rows:
        by_meter[customers.payer_of(each.app), each.capability].append(each)
    used, exhausted = dict[str, int](), dict[str, datetime]()
    for (payer, capability), calls in by_meter.items():
        own = [each for each in packs if (each.account_id, each.capability) == (payer, capability)]
        if capability not in FREE_CAPABILITIES:
            for each in calls:
                _use(own, each, used, exhausted)
        lines = sum(each.calls for each in calls)
        await repository.set_meter_archived(connection, payer, capability, lines, calls[-1].hour + HOUR)
    for pack_id, units in used.items():
        await repository.set_pack_used(connection, pack_id, units, exhausted.get(pack_id))


async def write_refused(connection: AsyncConnection, customers: Customers, rows: Iterable[HourTraffic]) -> None:
    """Write calls that were refused before the ledger."""
    counts: dict[tuple[Any, ...], int] = defaultdict(int)
    for each in rows:
        known = each.code != BAD_SIGNATURE
        payer = customers.payer_of(each.app)
        app_id = customers.apps[each.app].app_id if known else UNKNOWN_ID
        counts[payer, each.hour, app_id, each.capability if known else "", each.code] += each.calls
    made = [dict(zip(usage.REFUSAL_KEY, key, strict=True)) | {"calls": calls} for key, calls in counts.items()]
    if made:
        await usage.add_refusals(connection, made)


async def settle(
    connection: AsyncConnection, customers: Customers, rows: Sequence[HourTraffic], now: datetime, draw: random.Random
) -> int:
    """Settle calls with the ledger's own code; returns the number of calls. Each meter is locked and written once, so
    that a month costs a few statements. Raises RuntimeError when a call is not covered."""
    by_meter: dict[tuple[str, str], dict[datetime, list[Settlement]]] = defaultdict(lambda: defaultdict(list))
    for each in rows:
        payer = customers.payer_of(each.app)
        by_meter[payer, each.capability][each.hour] += _settlements(customers, payer, each, now, draw)
    count = 0
    for (payer, capability), by_hour in by_meter.items():
        batches = [(min(hour + HOUR * draw.uniform(SETTLED_FROM, 1), now), by_hour[hour]) for hour in sorted(by_hour)]
        await _settle_meter(connection, payer, capability, batches)
        count += sum(len(calls) for _, calls in batches)
    return count


async def _settle_meter(
    connection: AsyncConnection, payer: str, capability: str, batches: Sequence[tuple[datetime, Sequence[Settlement]]]
) -> None:
    """Settle the batches of a meter, each at its time, in order of time."""
    meter = await lock_meter(connection, payer, capability, _fixed(batches[0][0]))
    packs = await read_packs(connection, meter, usable=True)
    before = {pack.id: pack.used for pack in packs}
    lines, changes = list[dict[str, Any]](), dict[str, dict[str, Any]]()
    for at, calls in batches:
        meter.now, first = at, len(lines)
        for call in calls:
            deductions = [] if capability in FREE_CAPABILITIES else deduct(packs, call.app_id, call.units, at)
            if deductions is None:
                raise RuntimeError(f"the packs of the example data do not cover {capability} at {at}")
            lines += entries(meter, call, call.call_id, deductions, len(lines))
            changed = {each.pack_id for each in deductions}
            changes |= {pack.id: use_of(pack, before[pack.id], at) for pack in packs if pack.id in changed}
        chained = lines[first:]
        meter.chain, meter.chain_seq = chain.extend(meter.chain, meter.chain_seq, chained)
    await write_entries(connection, meter, lines, changes.values())


def _fixed(at: datetime) -> Clock:
    return lambda _database: at


def _hour_row(customers: Customers, each: HourTraffic) -> dict[str, Any]:
    row: dict[str, Any] = {
        "hour": each.hour,
        "app_id": customers.apps[each.app].app_id,
        "capability": each.capability,
        "code": each.code,
        "account_id": customers.payer_of(each.app),
        "calls": each.calls,
        "images": each.images,
        "failed_images": each.failed_images,
        "units": each.images,
        "body_bytes": each.body_bytes,
        "duration_ms": 0,
        **dict.fromkeys(latency.COLUMNS, 0),
    }
    for calls, ms in zip(spread(each.calls, len(each.durations)), each.durations, strict=True):
        row["duration_ms"] += calls * ms
        row[latency.column(ms)] += calls
    return row


def _use(packs: Sequence[PackRow], calls: HourTraffic, used: dict[str, int], exhausted: dict[str, datetime]) -> None:
    """Deduct the units of an hour from the packs that are valid then. Raises RuntimeError when they do not cover it."""
    left = calls.images
    for pack in packs:
        if not pack.starts_at <= calls.hour < pack.ends_at - HOUR or pack.id in exhausted:
            continue
        taken = min(left, pack.total - used.get(pack.id, 0))
        left -= taken
        used[pack.id] = used.get(pack.id, 0) + taken
        if used[pack.id] == pack.total:
            exhausted[pack.id] = calls.hour + HOUR
        if not left:
            return
    raise RuntimeError(f"the packs of the example data do not cover {calls.capability} at {calls.hour}")


def _settlements(
    customers: Customers, payer: str, each: HourTraffic, now: datetime, draw: random.Random
) -> list[Settlement]:
    until = min(each.hour + HOUR * SETTLED_FROM, now)
    images, failed = spread(each.images, each.calls), spread(each.failed_images, each.calls)
    sizes = spread(each.body_bytes, each.calls)
    made = []
    for number in range(each.calls):
        at = each.hour + (until - each.hour) * draw.random()
        call_id = ids.new_at(at, draw.getrandbits(74))
        ms = each.durations[number % len(each.durations)]
        app_id, caller = customers.apps[each.app].app_id, address(each.app, draw)
        made.append(
            Settlement(
                call_id, payer, app_id, each.capability, images[number], images[number], failed[number], each.code,
                sizes[number], ms, caller, call_id,
            )
        )  # fmt: skip
    return made
