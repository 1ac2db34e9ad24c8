"""The contract of every broker: order, matching, limits, deadlines, withdrawal, redelivery after a worker's death."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from typing import Any

import pytest

from inkgate.service.broker.interface import Outcome
from inkgate.service.errors import DeadlineMissed, Overloaded
from tests.integration.broker.conftest import answer, pull, serve, tasks


async def test_replies_come_in_the_order_of_the_tasks(table: Any) -> None:
    broker, port = await table.broker(), await table.port()
    call = asyncio.create_task(broker.submit(tasks("a", b"0", b"1", b"2")))
    held = [await pull(port)]
    await asyncio.to_thread(port.reply, held[0], answer(held[0]))
    await serve(port, 2)
    assert [reply.element for reply in await call] == [{"text": "0"}, {"text": "1"}, {"text": "2"}]


async def test_replies_reach_their_own_call(table: Any) -> None:
    broker = await table.broker()
    ports = [await table.port() for _ in range(3)]
    calls = {f"call-{n}": [f"{n}-{k}".encode() for k in range(n % 4 + 1)] for n in range(24)}
    total = sum(len(images) for images in calls.values())
    left = total

    async def work(port: Any) -> None:
        nonlocal left
        while left > 0:
            task = await asyncio.to_thread(port.pull, 0.1)
            if task is not None:
                left -= 1
                await asyncio.to_thread(port.reply, task, answer(task))

    workers = [asyncio.create_task(work(port)) for port in ports]
    answers = await asyncio.gather(*(broker.submit(tasks(name, *images)) for name, images in calls.items()))
    await asyncio.gather(*workers)
    for images, replies in zip(calls.values(), answers, strict=True):
        assert [reply.element for reply in replies] == [{"text": image.decode()} for image in images]


async def test_an_image_arrives_whole(table: Any) -> None:
    broker, port = await table.broker(), await table.port()
    image = bytes(range(256)) * 40_960  # 10 MiB
    call = asyncio.create_task(broker.submit(tasks("big", image)))
    task = await pull(port)
    assert task is not None and task.image == image and task.delivery == 1
    await asyncio.to_thread(port.reply, task, answer(task, "x" * 300_000))
    assert (await call)[0].element == {"text": "x" * 300_000}


async def test_task_and_reply_fields_are_transmitted(table: Any) -> None:
    broker, port = await table.broker(), await table.port()
    (sent,) = tasks("f", b"x", capability="licence")
    call = asyncio.create_task(broker.submit([sent]))
    await asyncio.sleep(0.3)
    task = await pull(port)
    assert task is not None
    assert (task.call_id, task.number, task.capability, task.extras) == ("f", 0, "licence", False)
    assert task.deadline == pytest.approx(sent.deadline, abs=0.5)
    assert task.queued == pytest.approx(0.3, abs=0.29)
    await asyncio.to_thread(port.reply, task, answer(task, outcome=Outcome.UNDECODABLE))
    (reply,) = await call
    assert (reply.outcome, reply.worker, dict(reply.stages)) == (Outcome.UNDECODABLE, "w", {"infer": 0.01})


async def test_a_dead_workers_task_is_redelivered(table: Any) -> None:
    broker, first = await table.broker(), await table.port()
    call = asyncio.create_task(broker.submit(tasks("d", b"0", b"1")))
    held = await pull(first)
    assert held is not None
    await table.kill(first)
    second = await table.port()
    served = await serve(second, 2)
    assert {(task.number, task.delivery) for task in served} == {(held.number, 2), (1 - held.number, 1)}
    assert [reply.element for reply in await call] == [{"text": "0"}, {"text": "1"}]


async def test_a_third_delivery_is_marked(table: Any) -> None:
    broker = await table.broker()
    call = asyncio.create_task(broker.submit(tasks("p", b"0")))
    for delivery in (1, 2):
        port = await table.port()
        task = await pull(port)
        assert task is not None and task.delivery == delivery
        await table.kill(port)
    (task,) = await serve(await table.port(), 1)
    assert task.delivery == 3
    await call


async def test_a_withdrawn_call_is_not_started(table: Any) -> None:
    broker, port = await table.broker(), await table.port()
    gone = asyncio.create_task(broker.submit(tasks("gone", b"0", b"1", b"2")))
    begun = await pull(port)
    assert begun is not None
    gone.cancel()
    with pytest.raises(asyncio.CancelledError):
        await gone
    call = asyncio.create_task(broker.submit(tasks("next", b"n")))
    await asyncio.to_thread(port.reply, begun, answer(begun))  # late: no caller waits
    (task,) = await serve(port, 1)
    assert task.call_id == "next"
    await call


async def test_limits_on_tasks_and_bytes(table: Any) -> None:
    broker = await table.broker(max_tasks=3, max_bytes=100)
    port = await table.port()
    call = asyncio.create_task(broker.submit(tasks("a", b"x" * 40, b"x" * 40)))
    await asyncio.sleep(0.05)
    with pytest.raises(Overloaded, match="bytes"):
        await broker.submit(tasks("b", b"x" * 40))
    with pytest.raises(Overloaded, match="images"):
        await broker.submit(tasks("c", b"x", b"x"))
    await serve(port, 2)
    await call
    again = asyncio.create_task(broker.submit(tasks("b", b"x" * 40)))
    await serve(port, 1)
    await again


async def test_a_deadline_that_cannot_be_met_is_refused_before_any_work(table: Any) -> None:
    broker, port = await table.broker(), await table.port()
    call = asyncio.create_task(broker.submit(tasks("learn", b"0")))
    task = await pull(port)
    assert task is not None
    await asyncio.sleep(0.5)
    await asyncio.to_thread(port.reply, task, replace(answer(task), busy=0.5))
    await call
    blocking = asyncio.create_task(broker.submit(tasks("full", *[b"x"] * 20)))
    await asyncio.sleep(0.05)
    with pytest.raises(Overloaded) as refused:
        await broker.submit(tasks("late", b"0", seconds=4.0))  # 20 images at 0.5 s are ahead
    assert refused.value.retry_after is not None and 1 <= refused.value.retry_after <= 30
    blocking.cancel()


async def test_replies_missing_at_the_deadline(table: Any) -> None:
    broker, port = await table.broker(), await table.port()
    begun = time.monotonic()
    call = asyncio.create_task(broker.submit(tasks("late", b"0", b"1", seconds=0.6)))
    assert await pull(port) is not None
    with pytest.raises(DeadlineMissed):
        await call
    assert 0.4 < time.monotonic() - begun < 2.0
    assert (await broker.state()).depth == 0 or await pull(port, 0.5) is None  # the rest is never begun


async def test_state_counts_waiting_and_running_tasks(table: Any) -> None:
    broker, port = await table.broker(), await table.port()
    call = asyncio.create_task(broker.submit(tasks("s", b"0", b"1", b"2")))
    held = await pull(port)
    assert held is not None
    await asyncio.sleep(0.8)
    state = await broker.state()
    assert (state.depth, state.in_flight, state.workers) == (2, 1, 1)
    assert 0.1 < state.oldest_age < 5
    await asyncio.to_thread(port.reply, held, answer(held))
    await serve(port, 2)
    await call
    await asyncio.sleep(0.6)
    state = await broker.state()
    assert (state.depth, state.in_flight, state.oldest_age) == (0, 0, 0.0)
