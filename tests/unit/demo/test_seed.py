"""The example data: the same for a seed and a time, sound to every check of the product, only for an empty database."""

import random
import time
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import event, select
from sqlalchemy.ext.asyncio import AsyncEngine

from inkgate.service import tables  # noqa: F401 - foreign keys need every table
from inkgate.service.accounts.models import AppRow
from inkgate.service.accounts.vault import Vault, new_key
from inkgate.service.audit import verify as audit
from inkgate.service.console.regions import load
from inkgate.service.db import engine as databases
from inkgate.service.db import migrate, work
from inkgate.service.db.clock import BEIJING
from inkgate.service.demo import seed
from inkgate.service.demo.callers import WEIGHTS, address, regions
from inkgate.service.demo.customers import ARCHIVE, CUSTOMER, LIBRARY, OPERATOR, PARKING, PORTAL
from inkgate.service.demo.seed import DAYS, RETENTION_DAYS
from inkgate.service.demo.traffic import traffic
from inkgate.service.errors import Misuse
from inkgate.service.metering import ledger_reader
from inkgate.service.metering.housekeeping import Housekeeper
from inkgate.service.metering.models import PackRow
from inkgate.service.metering.service import pack_state
from inkgate.service.orders.models import OrderRow, RefundRow
from inkgate.service.settings import Database, Ledger
from inkgate.service.usage.models import HourRow, RecordRow, RefusalRow
from inkgate.service.users import repository as users
from inkgate.service.users.models import CUSTOMER as CUSTOMER_KIND
from tests.console.console_fixture import cheap_passwords

NOW = datetime(2026, 4, 15, 6, 40, tzinfo=UTC)
MAX_CPU_SECONDS = 2.5  # measured: 0.8
MAX_STATEMENTS = 350  # measured: 282; with a batch of the ledger for each hour it was 2,100
APPS = (PORTAL, ARCHIVE, PARKING, LIBRARY)


async def filled(path: Path, now: datetime = NOW, number: int = 1) -> AsyncEngine:
    url = f"sqlite+aiosqlite:///{path}"
    await migrate.upgrade_async(url)
    engine = databases.create(Database(url=url))
    await seed(engine, Vault([new_key()]), now, number=number, passwords=cheap_passwords())
    return engine


async def totals(engine: AsyncEngine) -> Counter[tuple[object, ...]]:
    """Units and refused calls by app, hour, capability and code."""
    found: Counter[tuple[object, ...]] = Counter()
    async with work.read_session(engine) as session:
        names = {row.id: row.name for row in await session.scalars(select(AppRow))}
        for row in await session.scalars(select(HourRow)):
            found[names[row.app_id], row.hour, row.capability, row.code] += row.units
        for refused in await session.scalars(select(RefusalRow)):
            key = (names.get(refused.app_id, ""), refused.hour, refused.capability, refused.code)
            found[key] += refused.calls
    return found


async def test_every_check_of_the_product_passes(tmp_path: Path) -> None:
    """The ledger and its chain, the audit trail, and a round of housekeeping, which deletes nothing."""
    engine = await filled(tmp_path / "a.db")
    async with work.snapshot_session(engine) as session:
        assert await ledger_reader.verify_database(session, None) == []
        assert (await audit.verify_database(session)).findings == []
        before = len(list(await session.scalars(select(RecordRow.call_id))))
    rounds = Housekeeper(engine, Ledger(retention_days=RETENTION_DAYS), lambda _: None, clock=lambda _: NOW)
    assert (await rounds.run_round()).drift == 0
    async with work.snapshot_session(engine) as session:
        assert await ledger_reader.verify_database(session, None) == []
        assert len(list(await session.scalars(select(RecordRow.call_id)))) == before > 1000
    await engine.dispose()


async def test_packs_orders_and_users_are_those_of_a_busy_month(tmp_path: Path) -> None:
    engine = await filled(tmp_path / "a.db")
    async with work.read_session(engine) as session:
        packs = list(await session.scalars(select(PackRow).order_by(PackRow.capability, PackRow.ordered_at)))
        orders = Counter(await session.scalars(select(OrderRow.state)))
        refunds = Counter(await session.scalars(select(RefundRow.state)))
        kinds = {each.login: each.role for each in await users.operators(session)}
        customer = await users.user_named(session, CUSTOMER)
        hours = await session.execute(select(HourRow.hour, HourRow.units))
        units, first, last = 0, NOW, NOW - timedelta(days=365)
        for hour, used in hours:
            units, first, last = units + used, min(first, hour), max(last, hour)
    states = Counter(pack_state(each, NOW) for each in packs)
    assert states == {"valid": 5, "expired": 1}
    assert any(0.9 < each.used / each.total < 1 for each in packs), "one is nearly used up"
    assert units > sum(each.used for each in packs) > 50_000, "the licence needs no pack"
    assert orders == {"active": 2, "pending": 1} and refunds == {"pending": 1}
    assert OPERATOR in kinds and customer is not None and customer.role == CUSTOMER_KIND
    assert last == NOW.replace(minute=0) and NOW - first >= timedelta(days=DAYS)
    await engine.dispose()


async def test_a_seed_and_a_time_give_the_same_numbers(tmp_path: Path) -> None:
    engines = [await filled(tmp_path / f"{n}.db", number=number) for n, number in enumerate((1, 1, 2))]
    first, again, other = [await totals(each) for each in engines]
    assert first == again and len(first) > 5_000
    assert first != other
    for each in engines:
        await each.dispose()


@pytest.mark.parametrize("hour", [15, 16, 23])
async def test_it_fits_at_any_hour(tmp_path: Path, hour: int) -> None:
    """Midnight in Beijing and in UTC divide the period differently."""
    engine = await filled(tmp_path / "a.db", NOW.replace(hour=hour, minute=3))
    async with work.snapshot_session(engine) as session:
        assert await ledger_reader.verify_database(session, None) == []
    await engine.dispose()


async def test_it_is_cheap_and_names_its_steps(tmp_path: Path) -> None:
    """`make demo` waits for it. By statements, each of which waits for SQLite's thread, and by CPU time; both without
    the hashes of passwords, and neither depends on what else the machine does."""
    url = f"sqlite+aiosqlite:///{tmp_path / 'a.db'}"
    await migrate.upgrade_async(url)
    engine = databases.create(Database(url=url))
    steps, statements = list[str](), list[str]()
    event.listen(engine.sync_engine, "before_cursor_execute", lambda *given: statements.append(given[2]))
    begun = time.process_time()
    await seed(engine, Vault([new_key()]), NOW, passwords=cheap_passwords(), progress=steps.append)
    assert time.process_time() - begun < MAX_CPU_SECONDS
    assert len(statements) < MAX_STATEMENTS
    assert len(set(steps)) == len(steps) >= 4
    await engine.dispose()


async def test_entries_settled_in_bulk_are_those_of_single_batches(tmp_path: Path) -> None:
    """Totals by hour and used units, which the ledger counts as it writes, agree with the entries they came from."""
    engine = await filled(tmp_path / "a.db")
    entries, totals = Counter[tuple[object, ...]](), Counter[tuple[object, ...]]()
    async with work.read_session(engine) as session:
        kept = (await session.scalars(select(RecordRow))).all()
        for row in kept:
            entries[row.settled_at.replace(minute=0, second=0, microsecond=0), row.app_id, row.code] += row.units
        first = min(row.settled_at for row in kept).replace(minute=0, second=0, microsecond=0)
        for hour in await session.scalars(select(HourRow).where(HourRow.hour >= first)):
            totals[hour.hour, hour.app_id, hour.code] += hour.units
    assert len({row.settled_at for row in kept}) > 24 * RETENTION_DAYS, "each hour has a time of its own"
    assert entries == totals
    await engine.dispose()


async def test_a_database_with_accounts_is_left_alone(tmp_path: Path) -> None:
    engine = await filled(tmp_path / "a.db")
    before = await totals(engine)
    with pytest.raises(Misuse, match="empty one"):
        await seed(engine, Vault([new_key()]), NOW, passwords=cheap_passwords())
    assert await totals(engine) == before
    await engine.dispose()


def test_the_traffic_has_the_shape_of_an_office() -> None:
    calls = list(traffic((PORTAL,), NOW - timedelta(days=DAYS), NOW, 1))
    by_hour, by_day = Counter[int](), Counter[int]()
    for each in calls:
        local = each.hour.astimezone(BEIJING)
        by_hour[local.hour] += each.calls
        by_day[local.weekday()] += each.calls
    assert by_hour[10] > 5 * by_hour[7] > 0 and by_hour[3] == 0
    assert by_day[2] > 2 * by_day[6] > 0
    codes = Counter(dict.fromkeys((0, 42900), 0))
    for each in calls:
        codes[each.code] += each.calls
    assert codes[0] / codes.total() > 0.95 and codes[42900] and len(codes) > 5


def test_every_caller_is_of_a_province(tmp_path: Path) -> None:
    table, draw = load(regions(tmp_path)), random.Random(1)
    assert table is not None
    for app in WEIGHTS:
        found = {table.region(address(app, draw)) for _ in range(300)}
        assert found <= {province for province, _ in WEIGHTS[app]} and found
