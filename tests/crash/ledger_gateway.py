"""A gateway's ledger in a process of its own, to be killed: settles the calls of a file, sixteen at a time.

python -m tests.crash.ledger_gateway URL PLAN ANSWERS

PLAN holds one call a line: id, account, app, units. Each answer is appended to ANSWERS as soon as it is known, as a
gateway would send it: "id answered" or "id CODE". A client whose answer fails to come repeats its call, a hundred times
at most.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator
from typing import TextIO

from inkgate.service.db import engine as engines
from inkgate.service.errors import DatabaseDown, LedgerUnavailable, Refused
from inkgate.service.metering import SqlLedger
from inkgate.service.metering.interface import Settlement
from inkgate.service.settings import Database

CLIENTS = 16
REPEATS = 100


async def client(ledger: SqlLedger, plan: Iterator[list[str]], answers: TextIO) -> None:
    for call_id, account_id, app_id, units in plan:
        call = Settlement(call_id, account_id, app_id, "general", int(units), int(units), 0, 0, 1000, 20, "", call_id)
        answers.write(f"{call_id} {await answer(ledger, call)}\n")
        answers.flush()


async def answer(ledger: SqlLedger, call: Settlement) -> str:
    for _ in range(REPEATS):
        try:
            await ledger.settle(call)
            return "answered"
        except Refused as refused:
            return str(refused.code)
        except (DatabaseDown, LedgerUnavailable):
            await asyncio.sleep(0.1)
    return "gave-up"


async def main(url: str, plan_path: str, answers_path: str) -> None:
    engine = engines.create(Database(url=url))
    ledger = SqlLedger(engine, timeout=2.0)
    with open(plan_path) as file, open(answers_path, "a") as answers:
        plan = iter([line.split() for line in file])
        answers.write("begun -\n")
        answers.flush()
        await asyncio.gather(*(client(ledger, plan, answers) for _ in range(CLIENTS)))
    await ledger.close()
    await engine.dispose()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
