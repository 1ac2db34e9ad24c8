"""Commands of many calls to Redis in one round trip (docs/adr/0007-redis-commands-in-batches.md).

A gateway sends four commands for each call. While one batch is on its way, the next one fills: a single command has no
added latency, and under load calls share round trips, which cost more CPU time than the commands in them. Batches are
sent one after the other, so commands are executed in the order of `execute`.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import time
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import hiredis
from redis.asyncio import Connection, Redis
from redis.exceptions import ConnectionError, NoScriptError, RedisError, ResponseError, TimeoutError

MAX_BATCH = 128  # commands
MAX_WAITING = 20_000  # commands; a gateway has at most one for each call and one for each answer sent
SMALL_BYTES = 72 * 1024  # a larger command is sent on a connection of its own: it would delay the commands behind it
MIN_BACKOFF_SECONDS, MAX_BACKOFF_SECONDS = 0.1, 0.5
_UNREACHABLE = (ConnectionError, TimeoutError, OSError)


def packed_command(*arguments: str | bytes | int | float) -> bytes:
    """A command as it is sent to the server."""
    packed: bytes = hiredis.pack_command(arguments)  # type: ignore[arg-type]  # its type allows one argument only
    return packed


class RoundTrips:
    """Round trips on one connection of `client`, which is kept in between. One at a time.

    Its own loop over the answers, since redis-py's pipeline takes five times the CPU time: a checkout of the connection
    for each, and its retries, callbacks and measurements for each command.
    """

    def __init__(self, client: Redis) -> None:
        self._pool = client.connection_pool
        self._connection: Connection | None = None

    async def send(self, packed: Sequence[bytes]) -> list[Any]:
        """The answers to commands from `packed_command`; a ResponseError in place of an answer is the server's error.

        A connection that the server has closed since the last use is replaced once. Raises RedisError and OSError.
        """
        data = b"".join(packed)
        if self._connection is not None:
            with contextlib.suppress(ConnectionError):
                return await self._send(data, len(packed))
        self._connection = await self._pool.get_connection()  # type: ignore[no-untyped-call]
        return await self._send(data, len(packed))

    async def _send(self, data: bytes, count: int) -> list[Any]:
        connection, answers, complete = self._connection, list[Any](), False
        assert connection is not None
        try:
            await connection.send_packed_command(data, check_health=False)
            for _ in range(count):
                try:
                    answers.append(await connection.read_response())
                except ResponseError as error:
                    answers.append(error)
            complete = True
        finally:
            if not complete:  # its next answers would be those to these commands
                await self._give_back(connection)
        return answers

    async def _give_back(self, connection: Connection) -> None:
        self._connection = None
        await connection.disconnect(nowait=True)
        await self._pool.release(connection)

    async def close(self) -> None:
        """Give the connection back. The caller owns the client."""
        if self._connection is not None:
            await self._give_back(self._connection)


@dataclass(frozen=True, slots=True)
class _Command:
    """`until`: how long an unreachable server is tried again, monotonic time in seconds."""

    packed: bytes
    until: float
    answer: asyncio.Future[Any]
    source: str = ""  # of a script, which the server may not know


class CommandBatches:
    """Sends commands over `client`, which must not retry by itself. For one event loop.

    `patience` is in seconds: 0 for a command that its caller repeats or can do without. A command whose caller is
    cancelled is sent once all the same, so that commands which follow from it find it executed.
    """

    def __init__(self, client: Redis) -> None:
        self._client, self._round_trips = client, RoundTrips(client)
        self._waiting: deque[_Command] = deque()
        self._sender: asyncio.Task[None] | None = None

    async def execute(self, *arguments: Any, patience: float = 0.0, source: str = "") -> Any:
        """The server's answer. Raises RedisError or OSError."""
        packed = packed_command(*arguments)
        if len(packed) <= SMALL_BYTES:
            return await self._enqueue(packed, patience, source)
        command = _Command(packed, time.monotonic() + patience, asyncio.get_running_loop().create_future(), source)
        apart = RoundTrips(self._client)
        try:
            await self._deliver(apart, [command])
        finally:
            await apart.close()
        return command.answer.result()

    def start(self, *arguments: Any, patience: float = 0.0, source: str = "") -> asyncio.Future[Any]:
        """`execute` of a small command without awaiting it: the future has its answer or its error."""
        return self._enqueue(packed_command(*arguments), patience, source)

    def _enqueue(self, packed: bytes, patience: float, source: str) -> asyncio.Future[Any]:
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[Any] = loop.create_future()
        if len(self._waiting) >= MAX_WAITING:
            answer.set_exception(ConnectionError(f"{MAX_WAITING} commands wait for Redis"))
            return answer
        self._waiting.append(_Command(packed, time.monotonic() + patience, answer, source))
        if self._sender is None:
            self._sender = loop.create_task(self._send_waiting())
        return answer

    def script(self, source: str, *, patience: float = 0.0) -> BatchedScript:
        """A Lua script that is called in batches."""
        return BatchedScript(self, source, patience)

    async def close(self) -> None:
        """Fail what waits. The caller owns the client."""
        if (sender := self._sender) is not None:
            sender.cancel()
            await asyncio.gather(sender, return_exceptions=True)
        await self._round_trips.close()

    async def _send_waiting(self) -> None:
        batch: list[_Command] = []
        try:
            while self._waiting:
                batch = [self._waiting.popleft() for _ in range(min(MAX_BATCH, len(self._waiting)))]
                await self._deliver(self._round_trips, batch, self._waiting)
        finally:
            self._sender = None
            for command in (*batch, *self._waiting):
                _fail(command, ConnectionError("the connection to Redis is closed"))
            self._waiting.clear()

    async def _deliver(
        self, round_trips: RoundTrips, batch: Sequence[_Command], behind: Iterable[_Command] = ()
    ) -> None:
        """Send commands until each is answered or its patience has ended; returns when each has its answer. When the
        server is unreachable, the commands `behind` that have no patience left fail too: they are not tried in turn."""
        backoff, pending = MIN_BACKOFF_SECONDS, list(batch)
        while pending:
            try:
                answers = await self._answers(round_trips, pending)
            except _UNREACHABLE as error:
                now = time.monotonic() + backoff
                for command in (*pending, *behind):
                    if command.until < now:
                        _fail(command, error)
                pending = [command for command in pending if not command.answer.done()]
                if pending:
                    await asyncio.sleep(backoff)
                    backoff = min(MAX_BACKOFF_SECONDS, 2 * backoff)
            except RedisError as error:
                for command in pending:
                    _fail(command, error)
                return
            else:
                for command, answer in zip(pending, answers, strict=True):
                    _resolve(command, answer)
                return

    async def _answers(self, round_trips: RoundTrips, commands: Sequence[_Command]) -> list[Any]:
        """`RoundTrips.send`. A script that the server does not know, e.g. after its restart, is loaded and called
        again."""
        answers = await round_trips.send([command.packed for command in commands])
        unknown = [number for number, answer in enumerate(answers) if isinstance(answer, NoScriptError)]
        if unknown:
            for source in {commands[number].source for number in unknown}:
                await self._client.script_load(source)
            again = await round_trips.send([commands[number].packed for number in unknown])
            for number, answer in zip(unknown, again, strict=True):
                answers[number] = answer
        return answers


class BatchedScript:
    """A Lua script; called as redis-py's own scripts are."""

    def __init__(self, batches: CommandBatches, source: str, patience: float) -> None:
        self._batches, self._source, self._patience = batches, source, patience
        self._sha = hashlib.sha1(source.encode(), usedforsecurity=False).hexdigest()  # names it on the server

    async def __call__(self, keys: Sequence[str], args: Sequence[Any]) -> Any:
        command = ("EVALSHA", self._sha, len(keys), *keys, *args)
        return await self._batches.execute(*command, patience=self._patience, source=self._source)

    def start(self, keys: Sequence[str], args: Sequence[Any]) -> asyncio.Future[Any]:
        """See CommandBatches.start."""
        command = ("EVALSHA", self._sha, len(keys), *keys, *args)
        return self._batches.start(*command, patience=self._patience, source=self._source)


def _resolve(command: _Command, answer: Any) -> None:
    if isinstance(answer, Exception):
        _fail(command, answer)
    elif not command.answer.done():  # its caller may be gone
        command.answer.set_result(answer)


def _fail(command: _Command, error: Exception) -> None:
    if not command.answer.done():
        command.answer.set_exception(error)
