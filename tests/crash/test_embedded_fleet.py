"""The embedded fleet with real worker processes: they are killed, crash, hang and reach limits; callers get answers."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from inkgate.service.broker.holdoff import OVERRUNS_PER_DEATH
from inkgate.service.broker.interface import Outcome, Task
from inkgate.service.composition.fleet import EmbeddedBroker, embedded_fleet
from inkgate.service.errors import DeadlineMissed, Misuse
from inkgate.service.settings import Engine, Limits, Settings, Worker
from inkgate.service.worker.stub import stub_text
from tests.crash.processes import gone
from tests.waiting import wait_until


def stub(stub_ms: float = 0.0, **worker: object) -> Settings:
    return Settings(
        engine=Engine(runtime="stub", stub_ms=stub_ms),
        worker=Worker(**{"processes": 2, **worker}),  # type: ignore[arg-type]
    )


def call(name: str, images: list[bytes], seconds: float = 60.0) -> list[Task]:
    return [Task(name, number, "general", time.time() + seconds, image) for number, image in enumerate(images)]


async def in_hand(broker: EmbeddedBroker, images: int) -> None:
    """Wait until the workers have `images` images in progress."""

    async def taken() -> bool:
        return (await broker.state()).in_flight == images

    await wait_until(taken, what=f"{images} images in progress")


def kill_all(broker: EmbeddedBroker) -> None:
    for pid in broker.supervisor.pids:
        os.kill(pid, signal.SIGKILL)


def texts(replies: list) -> list[str | None]:
    return [reply.element["detail"][0]["text"] if reply.element else None for reply in replies]


async def test_answers_and_leaves_no_process_behind() -> None:
    async with embedded_fleet(stub()) as broker:
        await broker.wait_ready(2)
        pids = broker.supervisor.pids
        images = [f"image {n}".encode() for n in range(50)]
        assert texts(await broker.submit(call("a", images))) == [stub_text(image) for image in images]
        assert (await broker.state()).workers == 2
    for pid in pids:
        assert await gone(pid, 1.0)


async def test_no_answer_is_lost_when_workers_are_killed() -> None:
    async with embedded_fleet(stub(stub_ms=100)) as broker:
        await broker.wait_ready(2)
        images = [f"image {n}".encode() for n in range(12)]
        waiting = asyncio.create_task(broker.submit(call("k", images)))
        await in_hand(broker, 2)
        kill_all(broker)
        assert texts(await waiting) == [stub_text(image) for image in images]
        # All answers may be there before the supervisor has seen the second worker end.
        await wait_until(lambda: broker.supervisor.restarts == 2)
        await broker.wait_ready(2)
        assert broker.supervisor.restarts == 2
        cards = (await broker.snapshot()).workers
        assert [(card.state, card.recycles, card.reason) for card in cards] == [("ready", 1, "crash")] * 2
        assert all(card.resident_bytes > 2**20 for card in cards)
        # A worker reports an image after it has answered; the two that were killed may have been in between.
        await wait_until(lambda: 10 <= sum(card.images for card in broker.registry.records()) <= 12)


async def test_a_crashing_image_affects_none_of_the_other_49() -> None:
    async with embedded_fleet(stub()) as broker:
        await broker.wait_ready(2)
        images = [f"image {n}".encode() for n in range(50)]
        images[17] = b"inkgate-stub:crash"
        replies = await broker.submit(call("poison", images))
        assert replies[17].outcome is Outcome.FAILED
        assert [reply.outcome for reply in replies].count(Outcome.READ) == 49
        assert texts(replies)[16] == stub_text(images[16])
        await broker.wait_ready(2)
        assert texts(await broker.submit(call("next", [b"x"]))) == [stub_text(b"x")]
        assert broker.supervisor.restarts == 1, "the second try runs in a child that may die alone"


async def test_an_app_whose_images_crash_and_hang_is_held_off() -> None:
    settings = stub(overrun=0.5).model_copy(update={"limits": Limits(killed_workers=3, hold_off=60)})
    async with embedded_fleet(settings) as broker:
        await broker.wait_ready(2)
        killers = [replace(task, app="killer") for task in call("k", [b"inkgate-stub:crash"] * 2)]
        assert [reply.outcome for reply in await broker.submit(killers)] == [Outcome.FAILED] * 2
        assert not broker.held("killer")
        for n in range(OVERRUNS_PER_DEATH):
            assert not broker.held("killer")
            await broker.wait_ready(2)
            (hangs,) = call(f"h{n}", [b"inkgate-stub:hang"], seconds=0.7)
            with pytest.raises(DeadlineMissed):
                await broker.submit([replace(hangs, app="killer")])
        await wait_until(lambda: broker.held("killer") > 0)
        assert (await broker.state()).held == 1 and not broker.held("")
        (fine,) = call("f", [b"fine"])
        assert texts(await broker.submit([replace(fine, app="another")])) == [stub_text(b"fine")]


async def test_an_app_whose_client_hangs_up_while_its_images_crash_is_held_off() -> None:
    settings = stub().model_copy(update={"limits": Limits(killed_workers=2, hold_off=60)})
    async with embedded_fleet(settings) as broker:
        await broker.wait_ready(2)
        for n in range(2):
            (crashes,) = call(f"k{n}", [b"inkgate-stub:crash"])
            waiting = asyncio.create_task(broker.submit([replace(crashes, app="killer")]))
            await in_hand(broker, 1)
            waiting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await waiting
            await wait_until(lambda died=n: broker.supervisor.restarts > died)
            await in_hand(broker, 0)
        await wait_until(lambda: broker.held("killer") > 0)


async def test_a_fleet_killed_from_outside_causes_no_hold_off() -> None:
    settings = stub(100.0).model_copy(update={"limits": Limits(killed_workers=1)})
    async with embedded_fleet(settings) as broker:
        await broker.wait_ready(2)
        images = [f"image {n}".encode() for n in range(8)]
        waiting = asyncio.create_task(broker.submit([replace(task, app="a") for task in call("a", images)]))
        await in_hand(broker, 2)
        kill_all(broker)
        assert texts(await waiting) == [stub_text(image) for image in images]
        assert not broker.held("a")


async def test_an_image_that_raises_is_answered_without_a_restart() -> None:
    async with embedded_fleet(stub()) as broker:
        await broker.wait_ready(2)
        replies = await broker.submit(call("r", [b"inkgate-stub:raise", b"fine"]))
        assert [reply.outcome for reply in replies] == [Outcome.FAILED, Outcome.READ]
        assert broker.supervisor.restarts == 0


async def test_a_hanging_image_restarts_only_its_worker() -> None:
    async with embedded_fleet(stub(overrun=0.5)) as broker:
        await broker.wait_ready(2)
        hung = asyncio.create_task(broker.submit(call("h", [b"inkgate-stub:hang"], seconds=0.5)))
        assert texts(await broker.submit(call("ok", [b"fine"]))) == [stub_text(b"fine")]
        with pytest.raises(Exception, match="unanswered at the deadline"):
            await hung
        await wait_until(lambda: broker.supervisor.restarts > 0)
        await broker.wait_ready(2)


async def test_workers_are_recycled_between_images() -> None:
    async with embedded_fleet(stub(max_images=15)) as broker:
        images = [f"image {n}".encode() for n in range(40)]
        assert texts(await broker.submit(call("w", images))) == [stub_text(image) for image in images]
        assert broker.supervisor.restarts >= 2


async def test_stopping_finishes_the_image_in_progress() -> None:
    async with embedded_fleet(stub(stub_ms=400)) as broker:
        await broker.wait_ready(2)
        waiting = asyncio.create_task(broker.submit(call("last", [b"one", b"two"])))
        await in_hand(broker, 2)
        await broker.supervisor.stop(grace=5)
        assert texts(await waiting) == [stub_text(b"one"), stub_text(b"two")]


@pytest.fixture
async def wide() -> AsyncIterator[EmbeddedBroker]:
    """One worker that reads four images at once, as on a GPU."""
    async with embedded_fleet(stub(stub_ms=300, processes=1, at_once=4)) as broker:
        await broker.wait_ready()
        yield broker


async def test_a_wide_worker_reads_four_at_once(wide: EmbeddedBroker) -> None:
    images = [f"image {n}".encode() for n in range(8)]
    begun = time.monotonic()
    waiting = asyncio.create_task(wide.submit(call("w", images)))
    await in_hand(wide, 4)
    state = await wide.state()
    assert (state.in_flight, state.depth, state.workers) == (4, 4, 4)
    assert texts(await waiting) == [stub_text(image) for image in images]
    assert time.monotonic() - begun < 8 * 0.3


async def test_a_crash_in_a_wide_worker_affects_no_other_image(wide: EmbeddedBroker) -> None:
    images = [b"one", b"inkgate-stub:crash", b"three", b"four", b"five"]
    replies = await wide.submit(call("c", images))
    assert [reply.outcome for reply in replies] == [Outcome.READ, Outcome.FAILED, *[Outcome.READ] * 3]
    assert wide.supervisor.restarts == 1


async def test_stopping_a_wide_worker_finishes_all_images_in_progress(wide: EmbeddedBroker) -> None:
    waiting = asyncio.create_task(wide.submit(call("s", [b"1", b"2", b"3", b"4"])))
    await in_hand(wide, 4)
    await wide.supervisor.stop(grace=5)
    assert texts(await waiting) == [stub_text(image) for image in (b"1", b"2", b"3", b"4")]


async def test_a_wide_worker_is_recycled_as_a_whole_and_restarted_by_one_hung_image() -> None:
    async with embedded_fleet(stub(processes=1, at_once=3, max_images=9, overrun=0.5)) as broker:
        images = [f"image {n}".encode() for n in range(40)]
        assert texts(await broker.submit(call("r", images))) == [stub_text(image) for image in images]
        assert broker.supervisor.restarts >= 2
        hung = asyncio.create_task(broker.submit(call("h", [b"inkgate-stub:hang"], seconds=0.5)))
        with pytest.raises(Exception, match="unanswered at the deadline"):
            await hung
        assert texts(await broker.submit(call("next", [b"fine"]))) == [stub_text(b"fine")]


async def test_an_engine_that_cannot_start_reports_the_reason(tmp_path: Path) -> None:
    (tmp_path / "ppocrv6-small-det.onnx").write_bytes(b"no model")
    settings = Settings(engine=Engine(runtime="onnx", model_dir=tmp_path), worker=Worker(processes=1))
    async with embedded_fleet(settings) as broker:
        with pytest.raises(Misuse, match=r"ppocrv6-small-det.*sha256"):
            async with asyncio.timeout(20):
                await broker.wait_ready()


_PARENT = """
import asyncio, sys
from inkgate.service.settings import Engine, Settings, Worker
from inkgate.service.composition.fleet import EmbeddedBroker, embedded_fleet

async def main():
    settings = Settings(engine=Engine(runtime="stub"), worker=Worker(processes=2))
    async with embedded_fleet(settings) as broker:
        await broker.wait_ready(2)
        print(*broker.supervisor.pids, flush=True)
        await asyncio.sleep(60)

asyncio.run(main())
"""


async def test_workers_die_with_their_parent() -> None:
    parent = subprocess.Popen([sys.executable, "-c", _PARENT], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    with parent.stdout:
        pids = [int(pid) for pid in (await asyncio.to_thread(parent.stdout.readline)).split()]
        assert len(pids) == 2
        parent.kill()
        parent.wait()
        for pid in pids:
            assert await gone(pid, 20.0)
