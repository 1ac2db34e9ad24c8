"""Four gateways, sixty-four clients, 20,000 calls, packs of 15,000 units: nothing lost or charged twice after crashes.

Packs are three of 5,000; every tenth call takes three units, so pack boundaries fall inside calls. A tenth of the calls
is sent to two gateways, as clients do that repeat a request.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest
from sqlalchemy import select

from inkgate.service.db import engine as engines
from inkgate.service.db import ids, migrate, work
from inkgate.service.metering import ledger_reader
from inkgate.service.metering.models import PackRow
from inkgate.service.settings import Database
from inkgate.service.usage.models import RecordRow
from tests.ledger_data import CustomerData
from tests.postgres import OwnPostgres

CALLS, GATEWAYS, PACKS, PACK = 20_000, 4, 3, 5_000
PATIENCE = 240  # seconds
ACCIDENTS = ["a gateway is killed", "the database crashes"]
if os.environ.get("INKGATE_LONG_TESTS") == "1":  # otherwise test_exact_units.py alone counts a run without accidents
    ACCIDENTS.append("none")


class Fleet:
    """The gateway processes and what they answered."""

    def __init__(self, url: str, folder: Path, customer: CustomerData) -> None:
        self._url, self._folder = url, folder
        calls = [
            f"{ids.new()} {customer.account_id} {customer.app.app_id} {3 if n % 10 == 0 else 1}" for n in range(CALLS)
        ]
        for number in range(GATEWAYS):
            mine = calls[number::GATEWAYS]
            again = calls[(number + 1) % GATEWAYS :: GATEWAYS * 10]  # which the neighbour is sent too
            (folder / f"plan-{number}").write_text("\n".join(mine + again))
        self.units = {call.split()[0]: int(call.split()[3]) for call in calls}
        self._running = {number: self._start(number) for number in range(GATEWAYS)}

    def _start(self, number: int) -> subprocess.Popen[bytes]:
        plan, answers = self._folder / f"plan-{number}", self._folder / f"answers-{number}"
        module = "tests.crash.ledger_gateway"
        return subprocess.Popen([sys.executable, "-m", module, self._url, str(plan), str(answers)])

    def wait_for(self, answers: int) -> None:
        """Wait until all gateways together have answered `answers` calls."""
        deadline = time.monotonic() + PATIENCE
        while sum(self._count(number) for number in range(GATEWAYS)) < answers:
            assert time.monotonic() < deadline, "the gateways are too slow"
            time.sleep(0.02)

    def _count(self, number: int) -> int:
        path = self._folder / f"answers-{number}"
        return path.read_bytes().count(b"\n") if path.exists() else 0

    def kill_and_restart(self, number: int) -> None:
        """SIGKILL, then a new process to which its clients send every call again."""
        self._running[number].kill()
        self._running[number].wait()
        self._running[number] = self._start(number)

    def finish(self) -> dict[str, set[str]]:
        """Wait for the end. Returns the answers of each call."""
        for process in self._running.values():
            assert process.wait(timeout=PATIENCE) == 0
        answers: dict[str, set[str]] = {}
        for number in range(GATEWAYS):
            for line in (self._folder / f"answers-{number}").read_text().splitlines():
                call_id, _, said = line.partition(" ")
                if call_id in self.units:  # a line cut short by kill -9 was never sent
                    answers.setdefault(call_id, set()).add(said)
        return answers

    def close(self) -> None:
        for process in self._running.values():
            if process.poll() is None:
                process.kill()
                process.wait()


@pytest.mark.parametrize("accident", ACCIDENTS)
def test_exactly_fifteen_thousand_units(own_postgres: OwnPostgres, tmp_path: Path, accident: str) -> None:
    url = own_postgres.empty()
    customer = asyncio.run(prepare(url))
    fleet = Fleet(url, tmp_path, customer)
    try:
        if accident != "none":
            fleet.wait_for(3_000)
        if accident == "a gateway is killed":
            fleet.kill_and_restart(1)
        if accident == "the database crashes":
            own_postgres.crash()
            own_postgres.start()
        answers = fleet.finish()
    finally:
        fleet.close()
    asyncio.run(judge(url, fleet.units, answers))


async def prepare(url: str) -> CustomerData:
    await migrate.upgrade_async(url)
    engine = engines.create(Database(url=url))
    customer = await CustomerData.build(engine)
    async with work.unit_of_work(engine, "test") as unit:
        customer.clock.time = await unit.now()
    for _ in range(PACKS):
        await customer.grant(PACK)
    await engine.dispose()
    return customer


async def judge(url: str, units: dict[str, int], answers: dict[str, set[str]]) -> None:
    engine = engines.create(Database(url=url))
    async with work.snapshot_session(engine) as session:
        assert await ledger_reader.verify_database(session) == []
        used = list(await session.scalars(select(PackRow.used).order_by(PackRow.ordered_at)))
        recorded = Counter[str]()
        spanning = 0
        for call_id, line, taken in await session.execute(select(RecordRow.call_id, RecordRow.line, RecordRow.units)):
            recorded[call_id] += taken
            spanning += line > 0
    await engine.dispose()
    assert used == [PACK] * PACKS and recorded.total() == PACK * PACKS
    assert all(units[call_id] == taken for call_id, taken in recorded.items())  # each whole or not at all
    assert set(answers) == set(units)  # every caller got an answer
    assert {call_id for call_id, said in answers.items() if "answered" in said} == set(recorded)
    assert all(said == {"51003"} for call_id, said in answers.items() if call_id not in recorded)
    assert spanning <= PACKS - 1
