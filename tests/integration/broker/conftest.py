"""Fixtures for both brokers: a gateway's broker and any number of worker ports."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import time
import uuid
from collections.abc import AsyncIterator
from typing import Any

import pytest
import redis

from inkgate.service.broker.holdoff import HoldOffRule
from inkgate.service.broker.interface import Broker, Outcome, Reply, Task, WorkerPort
from inkgate.service.broker.local import LocalBroker
from inkgate.service.broker.local_port import LocalPort
from inkgate.service.broker.streams import StreamsBroker, StreamsPort
from inkgate.service.broker.streams.keys import Keys
from tests.waiting import PATIENCE_SECONDS

RULE = HoldOffRule(deaths=2, window=60.0, seconds=60.0)


class LocalTable:
    """The embedded broker, with ports on socket pairs."""

    def __init__(self) -> None:
        self.rule = RULE
        self.brokers: list[LocalBroker] = []
        self.ports: list[LocalPort] = []
        self._socks: dict[int, socket.socket] = {}

    async def broker(self, *, max_tasks: int = 1000, max_bytes: int = 1 << 30, **options: Any) -> Broker:
        broker = LocalBroker(max_tasks=max_tasks, max_bytes=max_bytes, rule=self.rule, overrun=0.2, **options)
        await broker.start()
        self.brokers.append(broker)
        return broker

    async def port(self) -> WorkerPort:
        ours, theirs = socket.socketpair()
        self.brokers[-1].attach(ours)
        port = LocalPort(theirs)
        self._socks[id(port)] = theirs
        self.ports.append(port)
        return port

    async def kill(self, port: WorkerPort) -> None:
        """Simulate the death of the worker process of this port."""
        self._socks[id(port)].close()

    async def close(self) -> None:
        for broker in self.brokers:
            await broker.close()
        for sock in self._socks.values():
            sock.close()


class StreamsTable:
    """The broker over Redis Streams, in a namespace per test."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.keys = Keys(f"test-{uuid.uuid4().hex[:8]}", "balanced")
        self.lease = 0.6
        self.rule = RULE
        self.brokers: list[StreamsBroker] = []
        self.ports: list[StreamsPort] = []

    async def broker(self, *, max_tasks: int = 1000, max_bytes: int = 1 << 30, **options: Any) -> Broker:
        broker = StreamsBroker(self.url, self.keys, max_tasks=max_tasks, max_bytes=max_bytes, **options)
        await broker.start()
        self.brokers.append(broker)
        return broker

    async def port(self) -> WorkerPort:
        port = StreamsPort(self.url, self.keys, f"w{len(self.ports)}", lease=self.lease, rule=self.rule, overrun=0.2)
        self.ports.append(port)
        return port

    async def kill(self, port: WorkerPort) -> None:
        """Simulate the death of a worker process: its heartbeat stops."""
        assert isinstance(port, StreamsPort)
        port._heartbeat._thread.expect_exit()
        port._heartbeat._stop.set()
        await asyncio.to_thread(port._heartbeat._thread.join, 20)
        port._redis.close()
        self.ports.remove(port)

    async def close(self) -> None:
        for port in self.ports:
            await asyncio.to_thread(port.close)
        for broker in self.brokers:
            await broker.close()
        with redis.Redis.from_url(self.url) as server, contextlib.suppress(redis.ConnectionError):
            for key in server.scan_iter(f"{{{self.keys.namespace}}}:*"):
                server.delete(key)


@pytest.fixture(params=["local", "streams"])
async def table(request: pytest.FixtureRequest) -> AsyncIterator[Any]:
    made = LocalTable() if request.param == "local" else StreamsTable(request.getfixturevalue("valkey_server"))
    yield made
    await made.close()


def tasks(call: str, *images: bytes, seconds: float = 20.0, capability: str = "general", app: str = "") -> list[Task]:
    deadline = time.time() + seconds
    return [Task(call, number, capability, deadline, image, app=app) for number, image in enumerate(images)]


async def pull(port: WorkerPort, timeout: float = PATIENCE_SECONDS) -> Task | None:
    """Call `port.pull` in a thread until it returns a task."""
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        task = await asyncio.to_thread(port.pull, 0.1)
        if task is not None:
            return task
    return None


def answer(task: Task, text: str = "", outcome: Outcome = Outcome.READ) -> Reply:
    return Reply(task.call_id, task.number, outcome, {"text": text or task.image.decode()}, "w", {"infer": 0.01})


async def serve(port: WorkerPort, count: int) -> list[Task]:
    """Reply to `count` tasks with their own bytes."""
    done = []
    for _ in range(count):
        task = await pull(port)
        assert task is not None, "no task came"
        await asyncio.to_thread(port.reply, task, answer(task))
        done.append(task)
    return done
