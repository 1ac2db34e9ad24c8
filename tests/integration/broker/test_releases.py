"""Rolling upgrades: workers of 0.1 with the current gateway and the reverse, and malformed messages."""

from __future__ import annotations

import asyncio
import socket
import time
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import MISSING, fields, replace
from typing import Any

import pytest
import redis

from inkgate.service.broker import frames
from inkgate.service.broker.interface import Outcome, Task
from inkgate.service.broker.local import LocalBroker
from inkgate.service.broker.local_port import LocalPort
from inkgate.service.broker.messages import decode_reply, decode_task, encode_reply, encode_task
from inkgate.service.broker.streams import StreamsBroker, StreamsPort
from inkgate.service.broker.streams.keys import GROUP
from inkgate.service.broker.worker_registry import WorkerRecord
from inkgate.service.worker.config import WorkerConfig
from tests.integration.broker import released
from tests.integration.broker.conftest import StreamsTable, answer, pull, serve, tasks


class Worker:
    """A worker of 0.1 over Redis, reduced to its messages."""

    def __init__(self, server: redis.Redis, table: StreamsTable) -> None:
        self._server, self._table = server, table
        self.stream = table.keys.stream("general")

    def pull(self) -> tuple[bytes, dict[bytes, bytes]]:
        """The next raw entry of the stream."""
        try:
            self._server.xgroup_create(self.stream, GROUP, id="0", mkstream=True)
        except redis.ResponseError as error:
            assert "BUSYGROUP" in str(error)
        self._server.zadd(self._table.keys.workers, {"old": int(time.time() * 1000)})  # its heartbeat
        found: Any = self._server.xreadgroup(GROUP, "old", {self.stream: ">"}, count=1, block=5000)
        return found[0][1][0]

    def reply(self, entry: tuple[bytes, dict[bytes, bytes]], message: bytes) -> None:
        entry_id, given = entry
        self._server.xack(self.stream, GROUP, entry_id)
        self._server.xdel(self.stream, entry_id)
        self._server.xadd(given[b"to"], {"reply": message})


@pytest.fixture
async def table(valkey_server: str) -> AsyncIterator[StreamsTable]:
    made = StreamsTable(valkey_server)
    yield made
    await made.close()


@pytest.fixture
async def server(valkey_server: str) -> AsyncIterator[redis.Redis]:
    with redis.Redis.from_url(valkey_server, protocol=2) as client:
        yield client


async def test_a_worker_of_the_previous_release_answers_the_current_gateway(
    table: StreamsTable, server: redis.Redis
) -> None:
    broker, worker = await table.broker(), Worker(server, table)
    call = asyncio.create_task(broker.submit(tasks("old-worker", b"0", b"1")))
    for _ in range(2):
        entry = await asyncio.to_thread(worker.pull)
        call_id, number = released.read_entry(entry[1])
        worker.reply(entry, released.reply(call_id, number, f"read {number}"))
    assert [reply.element for reply in await call] == [{"text": "read 0"}, {"text": "read 1"}]


async def test_the_current_worker_answers_a_gateway_of_the_previous_release(
    table: StreamsTable, server: redis.Redis
) -> None:
    to = table.keys.replies("old")
    (sent,) = tasks("old-gateway", b"0")
    port = await table.port()
    server.set(table.keys.image(sent), b"image", px=20_000)
    server.xadd(table.keys.stream("general"), released.entry("old-gateway", 0, to))
    task = await pull(port)
    assert task is not None and task.image == b"image" and task.trace == "" and not task.extras
    await asyncio.to_thread(port.reply, task, answer(task))
    ((_, given),) = server.xrange(to)
    assert released.read_reply(given[b"reply"])["element"] == {"text": "image"}


async def test_unknown_fields_are_ignored(table: StreamsTable, server: redis.Redis) -> None:
    to = table.keys.replies("next")
    (sent,) = tasks("next-gateway", b"0")
    port = await table.port()
    server.set(table.keys.image(sent), b"image", px=20_000)
    server.xadd(table.keys.stream("general"), {**released.entry("next-gateway", 0, to), "colour": "red"})
    task = await pull(port)
    assert task is not None
    await asyncio.to_thread(port.reply, task, answer(task))

    broker, worker = await table.broker(), Worker(server, table)
    call = asyncio.create_task(broker.submit(tasks("next-worker", b"0")))
    entry = await asyncio.to_thread(worker.pull)
    worker.reply(entry, released.reply("next-worker", 0, "new")[:-1] + b', "colour": "red"}')
    async with asyncio.timeout(10):
        assert (await call)[0].element == {"text": "new"}


BAD_REPLIES = [
    b"",
    b"\xff\xfe",
    b"[]",
    b"null",
    b'"text"',
    b"{}",
    b'{"call_id": 7, "number": 0, "outcome": "read"}',
    b'{"call_id": "x", "number": "0", "outcome": "read"}',
    b'{"call_id": "x", "number": true, "outcome": "read"}',
    b"[" * 100_000,
]


async def test_malformed_replies_do_not_end_the_listener(table: StreamsTable, server: redis.Redis) -> None:
    reported: Counter[str] = Counter()
    broker = StreamsBroker(
        table.url,
        table.keys,
        max_tasks=100,
        max_bytes=1 << 30,
        gateway="g",
        on_malformed=lambda kind: reported.update([kind]),
    )
    await broker.start()
    table.brokers.append(broker)
    for bad in BAD_REPLIES:
        server.xadd(table.keys.replies("g"), {"reply": bad})
    server.xadd(table.keys.replies("g"), {"another": b"field"})
    call = asyncio.create_task(broker.submit(tasks("after", b"0")))
    async with asyncio.timeout(10):
        await serve(await table.port(), 1)
        assert (await call)[0].element == {"text": "0"}
    assert reported == {"reply": len(BAD_REPLIES) + 1}
    assert server.xlen(table.keys.replies("g")) <= 1, "they would be read again"


@pytest.mark.parametrize(
    "message",
    [
        {"outcome": "sealed"},
        {"outcome": None},
        {"outcome": ["read"]},
        {"outcome": "read"},
        {"outcome": "read", "element": "text"},
    ],
)
async def test_a_malformed_reply_that_names_its_call_fails_it_at_once(
    table: StreamsTable, server: redis.Redis, message: dict[str, Any]
) -> None:
    broker, worker = await table.broker(), Worker(server, table)
    call = asyncio.create_task(broker.submit(tasks("bad", b"0")))
    entry = await asyncio.to_thread(worker.pull)
    worker.reply(entry, frames.encode_frame({"call_id": "bad", "number": 0, **message})[1])
    async with asyncio.timeout(10):
        assert (await call)[0].outcome is Outcome.FAILED


@pytest.mark.parametrize(
    "broken",
    [
        {"ttl": "soon"},
        {"ttl": None},
        {"n": "first"},
        {"call": None},
        {"to": None},
        {"to": b"\xff"},
        {"call": b"\xff\xfe"},
    ],
)
async def test_a_malformed_entry_is_counted_and_not_redelivered(
    table: StreamsTable, server: redis.Redis, broken: dict[str, Any]
) -> None:
    reported: Counter[str] = Counter()
    port = StreamsPort(table.url, table.keys, "w", lease=table.lease, on_malformed=lambda kind: reported.update([kind]))
    table.ports.append(port)
    to, stream = table.keys.replies("g"), table.keys.stream("general")
    entry = {name: value for name, value in {**released.entry("bad", 0, to), **broken}.items() if value is not None}
    image = table.keys.images.encode() + b"%b:%b" % tuple(
        part if isinstance(part, bytes) else str(part).encode() for part in (entry.get("call", ""), entry.get("n", ""))
    )
    server.set(image, b"image", px=20_000)
    server.xadd(stream, entry)
    assert await pull(port, 1.0) is None
    assert reported == {"task": 1}
    assert server.xlen(stream) == 0 and server.xpending(stream, GROUP)["pending"] == 0
    assert await pull(port, 3 * table.lease) is None and reported == {"task": 1}, "not even after its lease"
    if "ttl" in broken:
        ((_, given),) = server.xrange(to)
        assert released.read_reply(given[b"reply"])["outcome"] == "failed", "its caller need not wait"
    broker = await table.broker()
    call = asyncio.create_task(broker.submit(tasks("next", b"n")))
    await serve(port, 1)
    assert (await call)[0].element == {"text": "n"}


async def test_a_reply_stream_of_another_type_costs_its_reply_only(table: StreamsTable, server: redis.Redis) -> None:
    to = table.keys.replies("list")
    server.rpush(to, "x")
    (sent,) = tasks("w", b"0")
    server.set(table.keys.image(sent), b"image", px=20_000)
    port = await table.port()
    server.xadd(table.keys.stream("general"), released.entry("w", 0, to))
    task = await pull(port)
    assert task is not None
    await asyncio.to_thread(port.reply, task, answer(task))
    server.delete(to)
    broker = await table.broker()
    call = asyncio.create_task(broker.submit(tasks("next", b"n")))
    await serve(port, 1)
    assert (await call)[0].element == {"text": "n"}


class Connection:
    """A worker of any release on its socket pair, reduced to its messages."""

    def __init__(self, broker: LocalBroker) -> None:
        ours, self.sock = socket.socketpair()
        broker.attach(ours)

    async def pull(self) -> tuple[dict[str, Any], bytes]:
        await asyncio.to_thread(frames.send_frame, self.sock, {"kind": "pull"})
        return await asyncio.to_thread(frames.receive_frame, self.sock)

    def say(self, raw: bytes) -> None:
        self.sock.sendall(len(raw).to_bytes(4, "big") + bytes(4) + raw)


async def test_the_embedded_broker_survives_malformed_frames() -> None:
    reported: Counter[str] = Counter()
    broker = LocalBroker(max_tasks=100, max_bytes=1 << 30, on_malformed=lambda kind: reported.update([kind]))
    connection = Connection(broker)
    said = [
        b"nonsense",
        b"[]",
        b'{"kind": "reply"}',
        b'{"kind": "reply", "call_id": "another", "number": 0, "outcome": "failed"}',
        b'{"kind": "reply", "call_id": "b3", "number": 0, "outcome": "read"}',
    ]
    for number, raw in enumerate(said):
        call = asyncio.create_task(broker.submit(tasks(f"b{number}", b"0")))
        await connection.pull()
        connection.say(raw)
        async with asyncio.timeout(10):
            assert (await call)[0].outcome is Outcome.FAILED, raw
    assert reported == {"reply": len(said)}
    connection.say(b'{"kind": "tomorrow"}')
    connection.say(b'{"no": "kind"}')
    call = asyncio.create_task(broker.submit(tasks("old", b"0")))
    await connection.pull()
    connection.say(b'{"kind": "reply", "colour": "red", ' + released.reply("old", 0, "read")[1:])
    assert (await call)[0].element == {"text": "read"}
    connection.sock.close()
    await broker.close()


async def test_an_embedded_worker_survives_malformed_frames() -> None:
    reported: Counter[str] = Counter()
    broker, theirs = socket.socketpair()
    port = LocalPort(theirs, lambda kind: reported.update([kind]))
    good = released.task_head("c", 0, time.time() + 20)
    for head in ({}, {**good, "capability": None}, {**good, "deadline": "soon"}, {**good, "number": None}):
        frames.send_frame(broker, head, b"image")
        assert await asyncio.to_thread(port.pull, 1.0) is None
        assert frames.receive_frame(broker)[0] == {"kind": "pull"}
        assert frames.receive_frame(broker)[0]["outcome"] == "failed"
    assert reported == {"task": 4}
    frames.send_frame(broker, {**good, "colour": "red"}, b"image")
    task = await asyncio.to_thread(port.pull, 1.0)
    assert task is not None and (task.call_id, task.image) == ("c", b"image")
    port.close()
    broker.close()


def test_tasks_and_configurations_of_both_releases_are_read() -> None:
    old = released.task_head("c", 1, 9.0)
    assert encode_task(decode_task({**old, "colour": "red"}, b"i")).items() >= old.items()
    assert decode_task({"call_id": "c", "number": 1, "capability": "plate", "deadline": 9.0}, b"i").delivery == 1
    assert WorkerConfig.from_dict({**released.CONFIG, "colour": "red"}).runtime == "stub"


def test_replies_are_readable_by_the_previous_release() -> None:
    task = Task("c", 0, "general", 9.0, b"i")
    killed = replace(answer(task), killed=True)
    released.read_reply(frames.encode_frame(encode_reply(killed))[1])
    assert decode_reply(encode_reply(killed, embedded=True)) == killed, "within one release it is said"


REQUIRED = {
    Task: {"call_id", "number", "capability", "deadline", "image"},
    WorkerConfig: {
        "runtime",
        "profile",
        "threads",
        "model_dir",
        "max_pixels",
        "stub_ms",
        "max_images",
        "max_rss_mib",
        "overrun",
        "at_once",
        "log_level",
        "log_format",
    },
    WorkerRecord: {"host", "slot", "name", "version", "profile", "state", "since"},
}


@pytest.mark.parametrize("kind", REQUIRED)
def test_a_field_that_the_first_release_did_not_have_has_a_default(kind: Any) -> None:
    required = {each.name for each in fields(kind) if each.default is MISSING and each.default_factory is MISSING}
    assert required == REQUIRED[kind]
