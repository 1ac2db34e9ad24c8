"""The pull loop: when it ends, and that it answers every task that it has started."""

from __future__ import annotations

import errno
import os
import socket
import subprocess
import threading
import time
from dataclasses import replace

import pytest

from inkgate.engines.types import EngineInfo, MemoryGrowth
from inkgate.service.broker import frames
from inkgate.service.broker.interface import Outcome, Reply, Task
from inkgate.service.settings import Settings, Worker
from inkgate.service.worker import control, isolate
from inkgate.service.worker import loop as module
from inkgate.service.worker.config import WorkerConfig
from inkgate.service.worker.loop import PullLoop
from inkgate.service.worker.stub import StubReader


class Port:
    """A port with an endless supply of tasks."""

    def __init__(self) -> None:
        self.replies: list[Reply] = []

    def pull(self, timeout: float) -> Task:
        return Task("call", len(self.replies), "general", time.time() + 60, b"image")

    def reply(self, task: Task, reply: Reply) -> None:
        self.replies.append(reply)

    def close(self) -> None:
        return None


def run_loop(worker: Worker) -> tuple[str, list[Reply]]:
    port = Port()
    config = WorkerConfig.of(Settings(worker=worker))
    return PullLoop(port, StubReader(), config, "w", threading.Event()).run(), port.replies


def test_it_ends_when_its_memory_exceeds_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes = iter([100.0, 140.0, 190.0, 260.0])  # warm, then after each image
    monkeypatch.setattr(module, "rss_mib", lambda: next(sizes))
    reason, replies = run_loop(Worker(max_images=0, max_rss_mib=200))
    assert reason == "memory"
    assert [reply.outcome for reply in replies] == [Outcome.READ] * 3, "the last one is answered before the loop ends"


def test_an_engine_above_the_limit_may_grow_by_a_share_of_its_warm_size(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes = iter([400.0, 590.0, 610.0])
    monkeypatch.setattr(module, "rss_mib", lambda: next(sizes))
    reason, replies = run_loop(Worker(max_images=0, max_rss_mib=200))
    assert (reason, len(replies)) == ("memory", 2)


def test_it_ends_when_too_little_memory_is_left_for_the_next_image(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes = iter([500.0, 590.0, 610.0])  # warm, then after each image; the limit lies at 700
    monkeypatch.setattr(module, "data_mib", lambda: next(sizes))
    reason, replies = run_loop(Worker(max_images=0, max_rss_mib=0, image_mib=200))
    assert (reason, len(replies)) == ("memory", 2)


class GrowingReader(StubReader):
    """Takes 900 MiB in the background after its warm-up, 3000 of private memory, until two images were asked about."""

    def __init__(self) -> None:
        super().__init__()
        self.asked = 0

    @property
    def info(self) -> EngineInfo:
        self.asked += 1
        return replace(super().info, growth=MemoryGrowth(900, 3000) if self.asked < 3 else MemoryGrowth())


def test_what_an_engine_takes_in_the_background_is_expected_and_then_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    # warm; after an image, and again while growing; settled at 1200 MiB, so that the limit becomes 1800; above it
    resident = iter([300.0, 1100.0, 1150.0, 1200.0, 1700.0, 1801.0])
    limits: list[tuple[int, int]] = []
    monkeypatch.setattr(module, "rss_mib", lambda: next(resident))
    monkeypatch.setattr(module, "data_mib", lambda: 500.0)
    monkeypatch.setattr(module, "set_memory_limit", lambda image_mib, at_once: limits.append((image_mib, at_once)))
    config = WorkerConfig.of(Settings(worker=Worker(max_images=0, max_rss_mib=200)))
    port = Port()
    assert PullLoop(port, GrowingReader(), config, "w", threading.Event()).run() == "memory"
    assert len(port.replies) == 4
    assert limits == [(config.image_mib, config.at_once)], "set once, when the engine has what it needs"


def test_it_ends_at_the_image_limit_which_is_spread_between_workers() -> None:
    counts = {len(run_loop(Worker(max_images=100, max_rss_mib=0))[1]) for _ in range(12)}
    assert all(90 <= count <= 111 for count in counts) and len(counts) > 1


def test_without_a_free_process_an_isolated_read_fails_and_not_its_worker(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def no_process(*arguments: object) -> None:
        raise OSError(errno.EAGAIN, "no process left")

    monkeypatch.setattr(isolate, "spawn", no_process)
    task = Task("call", 0, "general", time.time() + 60, b"image", delivery=2)
    reply = isolate.read_isolated(task, WorkerConfig.of(Settings()), "w")
    assert (reply.outcome, reply.call_id, reply.number) == (Outcome.FAILED, "call", 0)


class SlowChild:
    """A process that is ready late, and sends no reply."""

    def __init__(self, sock: socket.socket, ready_after: float) -> None:
        self._sock, self._ready_after = socket.socket(fileno=os.dup(sock.fileno())), ready_after
        self.killed = False
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self) -> None:
        frames.receive_frame(self._sock)
        frames.receive_frame(self._sock)
        time.sleep(self._ready_after)
        frames.send_frame(self._sock, control.encode(control.Begun()))

    def kill(self) -> None:
        self.killed = True

    def wait(self, timeout: float | None = None) -> int:
        if timeout is not None:
            raise subprocess.TimeoutExpired("child", timeout)
        self._sock.close()
        return 0


def test_an_isolated_read_ends_at_the_deadline_though_its_process_was_ready_late(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seconds, children = 3.0, list[SlowChild]()

    def slow(module: str, sockets: list[socket.socket]) -> SlowChild:
        children.append(SlowChild(sockets[0], 0.8 * seconds))
        return children[0]

    monkeypatch.setattr(isolate, "spawn", slow)
    begun = time.time()
    task = Task("call", 0, "general", begun + seconds, b"image", delivery=2)
    reply = isolate.read_isolated(task, WorkerConfig.of(Settings()), "w")
    assert reply.outcome is Outcome.FAILED and children[0].killed
    assert time.time() - begun < 1.5 * seconds, "each wait had the whole time"
