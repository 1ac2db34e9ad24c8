"""Background tasks: restarts, back-off, reports, readiness and orderly ends."""

from __future__ import annotations

import ast
import asyncio
import logging
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from inkgate.service import background as module
from inkgate.service.background import Background, Rounds, TaskDown, backoff_seconds
from inkgate.service.telemetry.health import Health
from tests.waiting import wait_until

SERVICE = Path(module.__file__).parent


class Notes:
    """An observer that records its calls."""

    def __init__(self) -> None:
        self.restarts: Counter[str] = Counter()
        self.up: dict[str, list[bool]] = {}

    def background_up(self, task: str, up: bool) -> None:
        self.up.setdefault(task, []).append(up)

    def background_restarted(self, task: str) -> None:
        self.restarts[task] += 1


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MIN_BACKOFF_SECONDS", 0.01)
    monkeypatch.setattr(module, "MAX_BACKOFF_SECONDS", 0.04)
    monkeypatch.setattr(module, "UP_AFTER_SECONDS", 0.5)


async def for_ever() -> None:
    await asyncio.Event().wait()


async def cancelled_inside() -> None:
    future = asyncio.get_running_loop().create_future()
    future.cancel()
    await future


async def returns() -> None:
    return None


async def raises() -> None:
    raise LookupError("unforeseen")


@pytest.mark.parametrize(
    ("fault", "cause"),
    [
        (returns, "returned"),
        (raises, "LookupError"),
        (cancelled_inside, "CancelledError"),
    ],
)
async def test_a_task_that_ends_is_restarted(
    fault: Callable[[], object], cause: str, caplog: pytest.LogCaptureFixture
) -> None:
    lives, notes = 0, Notes()

    async def run() -> None:
        nonlocal lives
        lives += 1
        await (fault() if lives <= 3 else for_ever())  # type: ignore[misc]

    background = Background(notes)
    health = Health({"tasks": background.check})
    health.mark_started()
    task = background.task("listener", run, essential=True)
    with caplog.at_level(logging.ERROR):
        task.start()
        await wait_until(lambda: lives == 1)
        await wait_until(lambda: notes.restarts["listener"] == 1)
        assert (await health.ready()).parts["tasks"] == "TaskDown"
        with pytest.raises(TaskDown, match="listener"):
            await background.check()
        await wait_until(lambda: lives == 4)
        assert not (await health.ready()).ok, "up again only once it has run for a while"
        await wait_until(lambda: notes.up["listener"][-1])
    assert (await health.ready()).ok
    assert notes.restarts == {"listener": 3} and notes.up["listener"] == [True, False, False, False, True]
    assert {vars(record)["cause"] for record in caplog.records} == {cause}
    await task.close()
    assert lives == 4


async def test_the_back_off_doubles_up_to_a_limit_and_is_reset_after_a_healthy_run(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    lives = 0

    async def run() -> None:
        nonlocal lives
        lives += 1
        if lives == 6:
            await asyncio.sleep(0.3)
        if lives == 7:
            await for_ever()
        raise LookupError

    monkeypatch.setattr(module, "BACKOFF_RESET_SECONDS", 0.25)
    task = Background().task("listener", run)
    task.start()
    await wait_until(lambda: lives == 7)
    pauses = [vars(record)["pause"] for record in caplog.records if record.levelno == logging.ERROR]
    assert pauses == [0.01, 0.02, 0.04, 0.04, 0.04, 0.01]
    await task.close()


async def test_a_task_that_is_not_essential_does_not_affect_readiness() -> None:
    notes = Notes()
    background = Background(notes)
    task = background.task("sampler", raises)
    task.start()
    await wait_until(lambda: notes.restarts["sampler"] > 2)
    await background.check()
    await task.close()


async def test_a_task_may_return_after_expect_exit() -> None:
    stop, notes = asyncio.Event(), Notes()

    async def run() -> None:
        await stop.wait()

    task = Background(notes).task("writer", run)
    task.start()
    assert not await task.wait(0.01)
    task.expect_exit()
    stop.set()
    assert await task.wait(20) and not notes.restarts


async def test_a_task_in_back_off_is_not_restarted_after_expect_exit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MIN_BACKOFF_SECONDS", 60.0)
    monkeypatch.setattr(module, "MAX_BACKOFF_SECONDS", 60.0)
    notes = Notes()
    task = Background(notes).task("writer", raises)
    task.start()
    await wait_until(lambda: notes.restarts["writer"] == 1)
    task.expect_exit()
    assert await task.wait(20) and notes.restarts["writer"] == 1


async def test_close_ends_a_task_whose_library_swallows_a_cancellation(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_CANCEL_AGAIN_SECONDS", 0.05)
    swallowed, begun = 0, asyncio.Event()

    async def run() -> None:
        nonlocal swallowed
        while True:
            try:
                begun.set()
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                swallowed += 1
                if swallowed > 2:
                    raise

    task = Background().task("listener", run)
    task.start()
    await begun.wait()
    async with asyncio.timeout(20):
        await task.close()
    assert swallowed == 3


async def test_an_observer_that_fails_does_not_end_the_task() -> None:
    class Broken(Notes):
        def background_restarted(self, task: str) -> None:
            super().background_restarted(task)
            raise ConnectionError

    notes = Broken()
    task = Background(notes).task("listener", raises)
    task.start()
    await wait_until(lambda: notes.restarts["listener"] > 2)
    await task.close()


def test_a_thread_that_ends_is_restarted() -> None:
    lives, stop, notes = 0, threading.Event(), Notes()

    def run() -> None:
        nonlocal lives
        lives += 1
        if lives == 1:
            raise LookupError
        if lives > 2:
            stop.wait(60)

    background = Background(notes)
    thread = background.thread("heartbeat", run, essential=True)
    thread.start()
    while not notes.restarts:
        time.sleep(0.001)
    with pytest.raises(TaskDown):
        asyncio.run(background.check())
    deadline = time.monotonic() + 20
    while notes.up["heartbeat"] != [True, False, False, True] and time.monotonic() < deadline:
        time.sleep(0.005)
    asyncio.run(background.check())
    assert notes.restarts["heartbeat"] == 2 and lives == 3
    thread.expect_exit()
    stop.set()
    thread.join(20)
    assert lives == 3 and notes.restarts["heartbeat"] == 2


SHORT_LIVED = {
    ("accounts/sql_directory.py", "_record_use"): "one write, at most one a minute and key",
    ("attest/chaos/run.py", "_kill_in_turn"): "the clients of one chaos run, awaited by it",
    ("attest/chaos/traffic.py", "run"): "the clients of one chaos run, which ends with them",
    ("broker/local.py", "attach"): "as long as one worker process; a new one brings a new one",
    ("cli/demo.py", "start"): "the demo's own four calls",
    (
        "composition/gateway.py",
        "_services",
    ): "a pool for parsing; a job's error is in its future",
    ("cli/ocr/reading.py", "_submit_in_order"): "one page each, awaited in order or cancelled at the end",
    ("composition/lifecycle.py", "run_until_stopped"): "waits for the start and for the end, awaited by the caller",
    ("composition/web.py", "serve"): "the web server and the announcement, awaited by the caller",
    ("db/cache.py", "get"): "one query, awaited by its callers",
    ("gateway/exchange.py", "*"): "as long as one request",
    ("takeover/upstream.py", "exchange"): "sends one body, awaited or cancelled by the exchange",
    ("metering/ledger.py", "_enqueue"): "ends when nothing waits; the next call begins a new one",
    ("redis_batches.py", "_enqueue"): "ends when no command waits; the next one begins a new one",
    ("worker/concurrency.py", "run_loops"): "pull loops, whose end ends the process: the supervisor starts another",
}
STARTERS = {
    "create_task",
    "ensure_future",
    "TaskGroup",
    "Thread",
    "Timer",
    "start_new_thread",
    "ThreadPoolExecutor",
    "run_coroutine_threadsafe",
}


def starts() -> dict[tuple[str, str], list[str]]:
    """The places that start tasks or threads: (file, function) -> names of the calls."""
    found: dict[tuple[str, str], list[str]] = {}
    for path in sorted(SERVICE.rglob("*.py")):
        if path == Path(module.__file__):
            continue

        def visit(node: ast.AST, function: str, file: str) -> None:
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                function = node.name
            if isinstance(node, ast.Call):
                called = node.func
                name = called.attr if isinstance(called, ast.Attribute) else getattr(called, "id", "")
                if name in STARTERS:
                    found.setdefault((file, function), []).append(name)
            for child in ast.iter_child_nodes(node):
                visit(child, function, file)

        visit(ast.parse(path.read_text(encoding="utf-8")), "", str(path.relative_to(SERVICE)))
    return found


def test_long_lived_tasks_are_background_tasks() -> None:
    """An entry in SHORT_LIVED gives the reason why the end of that task is harmless."""
    allowed = set(SHORT_LIVED)
    unknown = {
        place: calls for place, calls in starts().items() if place not in allowed and (place[0], "*") not in allowed
    }
    assert not unknown, "start it through inkgate.service.background"


def test_the_list_of_short_lived_tasks_is_current() -> None:
    places = set(starts())
    files = {file for file, _ in places}
    stale = [place for place in SHORT_LIVED if place not in places and not (place[1] == "*" and place[0] in files)]
    assert not stale


async def test_rounds_go_on_after_an_error_and_end_when_closed() -> None:
    """One that a round does not get over restarts the task; its name is that of the metric."""
    begun = 0

    class Counting(Rounds):
        async def try_round(self) -> None:
            nonlocal begun
            begun += 1
            if begun == 2:
                raise ZeroDivisionError

    notes = Notes()
    rounds = Counting("counting", 0.01, Background(notes))
    await rounds.start()
    await wait_until(lambda: begun >= 4)
    await rounds.close()
    ended = begun
    await asyncio.sleep(0.05)
    assert begun == ended and notes.restarts == {"counting": 1}


def test_the_backoff_doubles_up_to_its_limit_for_any_number_of_failures() -> None:
    assert [backoff_seconds(failures, 0.5, 10.0) for failures in (1, 2, 3, 6, 10_000)] == [0.5, 1.0, 2.0, 10.0, 10.0]
