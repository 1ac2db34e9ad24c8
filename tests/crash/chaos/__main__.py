"""`python -m tests.crash.chaos [--seconds N] [--out FOLDER]`: break everything once, or again and again, and judge.

Three gateways behind a plain proxy, three worker hosts, one Valkey, one Postgres, and mixed traffic from signed
clients that know what each of their images says. Exit status 1 when any promise is broken.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import sys
import time
from pathlib import Path

from tests.crash.chaos.clients import Clients
from tests.crash.chaos.faults import Fault, InjectedFault, faults
from tests.crash.chaos.machine import Machine
from tests.crash.chaos.report import SETTLING, Observations, Promise, judge, table, write
from tests.crash.chaos.stack import Stack

_CALM = 2.5  # seconds without any fault between a recovery and the next strike


async def run(seconds: float, rate: float, seed: int, out: Path, only: str = "") -> list[Promise]:
    """One run: at least one fault of each kind, and as many rounds as fit into `seconds`. With `only`, of the kinds
    whose names hold it."""
    dice = random.Random(seed)
    stack = Stack(bent_clock=True)
    try:
        say("starting Postgres, Valkey, 3 gateways, 3 worker hosts and the proxy")
        keys = await stack.start()
        clients = Clients(f"http://127.0.0.1:{stack.proxy.port}", keys, rate)
        machine = Machine(lambda: (os.getpid(), *stack.loops), clients.now)
        machine.start()
        injected: list[InjectedFault] = []
        round_ = _chosen(faults(stack, dice, clients), only)
        span = sum(fault.seconds + SETTLING + _CALM for fault in round_)
        rounds = max(1, round(seconds / span))
        traffic = asyncio.create_task(clients.run())
        await asyncio.sleep(_CALM)
        for _ in range(rounds):
            for fault in _chosen(faults(stack, dice, clients), only):
                injected.append(await _break(fault, clients))
        clients.end()
        await traffic
        await asyncio.gather(*(gateway.ready() for gateway in stack.gateways))
        await clients.again()
        busy = machine.stop()
        seen = Observations(
            await stack.charged(),
            stack.proxy.answers,
            await stack.findings(),
            busy,
            machine.starved,
            await stack.misdated(),
        )
        promises = judge(clients.calls, injected, seen)
        write(out, clients.calls, injected, seen, promises)
        print(table(clients.calls, injected, seen, promises))
        return promises
    finally:
        await stack.close()


def _chosen(each: list[Fault], only: str) -> list[Fault]:
    return [fault for fault in each if only in fault.name]


async def _break(fault: Fault, clients: Clients) -> InjectedFault:
    struck = clients.now()
    say(f"{struck:6.1f} s  {fault.name}")
    await fault.strike()
    await asyncio.sleep(fault.seconds)
    await fault.heal()
    healed = clients.now()
    await asyncio.sleep(max(0.0, SETTLING + _CALM - (clients.now() - healed)))
    return InjectedFault(fault.name, struck, healed, fault.excused)


def say(line: str) -> None:
    print(f"[{time.strftime('%H:%M:%S')}] {line}", file=sys.stderr, flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=0, help="length of the run; 0: one round, about 100 s")
    parser.add_argument("--rate", type=float, default=10, help="calls per second")
    parser.add_argument("--seed", type=int, default=6, help="which gateway or worker each fault hits")
    parser.add_argument("--out", type=Path, default=Path("build/chaos"), help="folder for the report")
    parser.add_argument("--only", default="", help="only faults with this in their name, e.g. clock")
    given = parser.parse_args()
    promises = asyncio.run(run(given.seconds, given.rate, given.seed, given.out, given.only))
    return 0 if all(promise.kept for promise in promises) else 1


if __name__ == "__main__":
    sys.exit(main())
