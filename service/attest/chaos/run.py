"""Runs the temporary service under traffic, kills its processes, and makes the part of the pack."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from inkgate.service.attest.chaos import record
from inkgate.service.attest.chaos.instance import Instance
from inkgate.service.attest.chaos.record import FILE, NAME, Kill, Observed
from inkgate.service.attest.chaos.traffic import Traffic
from inkgate.service.attest.chaos.verdict import Accounts, Call, Promise, judge
from inkgate.service.attest.evidence import Part, failed, json_file

SECONDS, LEAST_SECONDS, MOST_SECONDS = 30.0, 15.0, 300.0  # of traffic: by default, at least, at most
CALM_SECONDS = 2.0  # traffic before the first kill, and between a recovery and the next
PATIENCE_SECONDS = 240.0  # after which a call without an answer is a lost one; longer than a slow start
RECOVERY_SECONDS = 120.0  # from a kill of workers until a later request is answered
LEAST_CALLS = 20  # a run with fewer proves nothing
EXTRA_SECONDS = 120.0  # of traffic beyond what was asked, on a machine too slow for LEAST_CALLS

ALL = 1000
KILLS: tuple[tuple[str, int], ...] = (("worker", 1), ("gateway", 0), ("all workers", ALL))
"""What is killed in turn, and how many workers that are; the gateway process takes its workers with it."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How long, and whether answers that wait for their delivery outlive a killed gateway (they do in a Redis)."""

    seconds: float
    answers_outlive: bool
    setup: str  # what ran, in words


async def run(
    instance: Instance,
    traffic: Traffic,
    plan: Plan,
    accounts: Callable[[Traffic], Awaitable[Accounts]],
    price: Callable[[Call], int],
) -> Part:
    """Run it. `accounts` reads the ledger of the temporary service once it has stopped. Raises NotStarted,
    traffic.Unreadable, OSError where processes cannot be listed, and what `accounts` raises."""
    async with _running(instance):
        await traffic.prepare()
        kills = await _kill_in_turn(instance, traffic, plan.seconds)
    observed = Observed(traffic.calls, kills, await accounts(traffic), traffic.now())
    excused: set[str] = set()
    for kill in kills:
        if kill.what == "gateway" and not plan.answers_outlive:
            excused |= in_work(traffic.calls, kill, "error")
    promises = [*judge(observed.calls, observed.accounts, price, excused), *_own_promises(observed, price, excused)]
    return part(observed, promises, plan, price)


def part(observed: Observed, promises: Sequence[Promise], plan: Plan, price: Callable[[Call], int]) -> Part:
    """The part of a run."""
    document = record.document(observed, promises, price, plan.setup, answers_outlive=plan.answers_outlive)
    broken = [each for each in promises if not each.kept]
    reason = "; ".join(f"{each.name}: {each.figure}" for each in broken)
    if reason:
        made = failed(NAME, reason)
        return Part(NAME, made.state, made.reason, record.facts(document), {FILE: json_file(document)})
    return Part(NAME, "passed", "", record.facts(document), {FILE: json_file(document)})


def in_work(calls: Sequence[Call], kill: Kill, result: str = "") -> set[str]:
    """The request ids with an attempt (of a `result`, when given) that was on the way at a kill."""
    return {
        call.request_id
        for call in calls
        for attempt in call.attempts
        if attempt.begun <= kill.at <= attempt.ended and result in ("", attempt.result)
    }


@asynccontextmanager
async def _running(instance: Instance) -> AsyncIterator[None]:
    try:
        await instance.start()
        yield
    finally:
        await asyncio.to_thread(instance.stop)


async def _kill_in_turn(instance: Instance, traffic: Traffic, seconds: float) -> list[Kill]:
    """Traffic for so many seconds, and until there was one kill of each kind; then every call is waited for."""
    kills: list[Kill] = []
    begun = traffic.now()
    clients = asyncio.create_task(traffic.run(PATIENCE_SECONDS))
    try:
        while len(kills) < len(KILLS) or traffic.now() - begun < seconds:
            await asyncio.sleep(CALM_SECONDS)
            kills.append(await _kill(instance, traffic, *KILLS[len(kills) % len(KILLS)]))
        await traffic.until_calls(LEAST_CALLS, begun + seconds + EXTRA_SECONDS)
        traffic.end()
        await clients
    finally:
        clients.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await clients
    return kills


async def _kill(instance: Instance, traffic: Traffic, what: str, workers: int) -> Kill:
    """Kill, and wait until a request that was sent afterwards is answered. Raises NotStarted, and TimeoutError."""
    at = traffic.now()
    if workers:
        count = instance.kill_workers(workers)
    else:
        count = 1
        await asyncio.to_thread(instance.kill)
        await instance.start()
    deadline = traffic.now() + RECOVERY_SECONDS
    while not traffic.answered_since(at):
        if traffic.now() > deadline:
            raise TimeoutError(f"no answer within {RECOVERY_SECONDS:.0f} s of the kill of {what}")
        await asyncio.sleep(0.1)
    return Kill(what, at, traffic.now(), count)


def _own_promises(observed: Observed, price: Callable[[Call], int], excused: Collection[str]) -> list[Promise]:
    """That the whole ledger has nothing but these calls, and that enough was tried."""
    charged = observed.accounts.charged
    right = sum(price(call) for call in observed.calls if call.delivered)
    extra = sum(sum(units) - units[-1] for key, units in charged.items() if len(units) > 1 and key in excused)
    units = sum(sum(each) for each in charged.values())
    interrupted = {kill.what: len(in_work(observed.calls, kill)) for kill in observed.kills if kill.count}
    return [
        Promise(
            "units charged are those of the answers",
            units == right + extra,
            f"{units} charged, {right} right" + (f", {extra} for answers that ended with a process" if extra else ""),
        ),
        Promise(
            "processes were killed while calls were in work",
            len(interrupted) == len(KILLS) and all(interrupted.values()),
            "calls in work at the last kill: " + ", ".join(f"{what} {count}" for what, count in interrupted.items()),
        ),
        Promise(
            f"at least {LEAST_CALLS} calls were made",
            len(observed.calls) >= LEAST_CALLS,
            f"{len(observed.calls)} in {observed.seconds:.0f} s",
        ),
    ]
