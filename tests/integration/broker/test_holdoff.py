"""Faults that count towards a hold-off, in both brokers: deaths after a disconnect, and overruns."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import pytest
import redis

from inkgate.service.broker.holdoff import OVERRUNS_PER_DEATH, HoldOffRule
from inkgate.service.broker.interface import Outcome, Task
from inkgate.service.errors import DeadlineMissed
from tests.integration.broker.conftest import RULE, StreamsTable, answer, pull, serve, tasks
from tests.waiting import PATIENCE_SECONDS

_NEXT_LOOK = 0.6  # seconds after which a gateway has looked at the queue again


async def hang_up(call: asyncio.Task[Any]) -> None:
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call


async def begin(table: Any, broker: Any, name: str, app: str) -> tuple[asyncio.Task[Any], Any]:
    """A call of one image, and the worker that has started it."""
    port = await table.port()
    call = asyncio.create_task(broker.submit(tasks(name, b"x", app=app)))
    assert await pull(port) is not None
    return call, port


async def hung_up_then_died(table: Any, call: asyncio.Task[Any], port: Any) -> None:
    await hang_up(call)
    await table.kill(port)


async def died_then_hung_up(table: Any, call: asyncio.Task[Any], port: Any) -> None:
    await table.kill(port)
    await asyncio.sleep(0.05)
    await hang_up(call)


Ending = Callable[[Any, "asyncio.Task[Any]", Any], Awaitable[None]]
endings = pytest.mark.parametrize("ending", [hung_up_then_died, died_then_hung_up])


async def is_held(broker: Any, app: str, within: float = PATIENCE_SECONDS) -> bool:
    deadline = time.monotonic() + within
    while not broker.held(app) and time.monotonic() < deadline:
        await asyncio.sleep(0.05)
    return bool(broker.held(app))


@endings
async def test_disconnecting_hides_no_death(table: Any, ending: Ending) -> None:
    broker = await table.broker()
    for n in range(RULE.deaths):
        await ending(table, *await begin(table, broker, f"k{n}", "k"))
        alone = await table.port()
        task = await pull(alone)
        assert task is not None and (task.delivery, task.image) == (2, b"x"), "an isolated read, though no caller waits"
        await asyncio.to_thread(alone.reply, task, replace(answer(task, outcome=Outcome.FAILED), killed=True))
    assert await is_held(broker, "k")


@endings
async def test_an_image_without_a_caller_is_read_in_isolation_once(table: Any, ending: Ending) -> None:
    broker = await table.broker()
    await ending(table, *await begin(table, broker, "k", "k"))
    alone = await table.port()
    task = await pull(alone)
    assert task is not None and task.delivery == 2
    await table.kill(alone)
    assert await pull(await table.port(), 1.5) is None
    await asyncio.sleep(_NEXT_LOOK)
    assert (await broker.state()).depth == 0 and not broker.held("k")
    assert_no_payload(table)


@endings
async def test_clients_that_disconnect_while_workers_are_killed_are_not_held_off(table: Any, ending: Ending) -> None:
    broker = await table.broker()
    for n in range(2 * RULE.deaths):
        await ending(table, *await begin(table, broker, f"a{n}", "a"))
        (task,) = await serve(await table.port(), 1)
        assert task.delivery == 2
    assert not await is_held(broker, "a", _NEXT_LOOK)
    assert_no_payload(table)


async def test_a_withdrawn_image_in_progress_leaves_no_keys_behind(table: Any) -> None:
    broker = await table.broker()
    port = await table.port()
    call = asyncio.create_task(broker.submit(tasks("gone", b"x", b"y", app="a")))
    task = await pull(port)
    assert task is not None
    await hang_up(call)
    await asyncio.to_thread(port.reply, task, answer(task))
    assert await pull(port, 1.0) is None, "the other image was not begun"
    assert_no_payload(table)


def assert_no_payload(table: Any) -> None:
    if isinstance(table, StreamsTable):
        with redis.Redis.from_url(table.url, protocol=2) as server:
            assert not list(server.scan_iter(f"{table.keys.images}*".replace("[", "\\[")))


async def overrun(table: Any, broker: Any, name: str, begun_after: float) -> None:
    """An image with a deadline of 3 s, started late by the given seconds, whose worker ends after the deadline."""
    port, sent = await table.port(), tasks(name, b"x", app="k", seconds=3.0)
    call = asyncio.create_task(broker.submit(sent))
    await asyncio.sleep(begun_after)
    assert await pull(port) is not None
    with pytest.raises(DeadlineMissed):
        await call
    await asyncio.sleep(1.0)  # it hangs, and its heartbeat goes on
    await table.kill(port)


async def another_worker_looks(table: Any) -> None:
    port = await table.port()
    await pull(port, 1.0)
    await table.kill(port)


async def test_overruns_with_the_points_of_one_death_count_as_one(table: Any) -> None:
    table.rule = HoldOffRule(deaths=1, window=60.0, seconds=60.0)
    broker = await table.broker()
    await asyncio.gather(*(overrun(table, broker, f"h{n}", 0.0) for n in range(OVERRUNS_PER_DEATH - 1)))
    await another_worker_looks(table)
    assert not await is_held(broker, "k", _NEXT_LOOK)
    await overrun(table, broker, "last", 0.0)
    await another_worker_looks(table)
    assert await is_held(broker, "k")


async def test_a_slow_image_started_late_is_no_overrun(table: Any) -> None:
    table.rule = HoldOffRule(deaths=1, window=60.0, seconds=60.0)
    broker = await table.broker()
    await asyncio.gather(*(overrun(table, broker, f"s{n}", 1.2) for n in range(OVERRUNS_PER_DEATH + 1)))
    await another_worker_looks(table)
    assert not await is_held(broker, "k", _NEXT_LOOK)


async def test_a_duplicate_call_acquires_nothing(table: Any) -> None:
    broker, port = await table.broker(max_tasks=100), await table.port()
    first = asyncio.create_task(broker.submit(tasks("same", b"x", b"y", app="a")))
    await asyncio.sleep(0.1)
    for _ in range(3):
        with pytest.raises(ValueError, match="already waiting"):
            await broker.submit(tasks("same", b"x", b"y", app="a"))
    assert broker._admission.tasks == 2
    served: list[Task] = await serve(port, 2)
    assert len(await first) == len(served) == 2, "the first call goes on"
    assert broker._admission.tasks == 0
