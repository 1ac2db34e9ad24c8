"""A connection's end and its writes, as an exchange sees them."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from inkgate.service.errors import ClientDisconnected
from inkgate.service.gateway.connection import EXTENSION, Connection
from inkgate.service.gateway.exchange import Exchange


class Transport:
    """Records what is written at once."""

    def __init__(self) -> None:
        self.writes: list[bytes] = []

    def write(self, data: bytes) -> None:
        self.writes.append(data)

    def writelines(self, pieces: list[bytes]) -> None:
        self.writes.append(b"".join(pieces))

    def is_closing(self) -> bool:
        return False

    def get_extra_info(self, name: str) -> Any:
        return None


class Acknowledgements:
    written = 0

    def record_written(self, amount: int) -> None:
        self.written += amount


def connection() -> tuple[Connection, Transport, Acknowledgements]:
    transport, acknowledgements = Transport(), Acknowledgements()
    return Connection(transport, acknowledgements), transport, acknowledgements  # type: ignore[arg-type]


def exchange(of: Connection) -> Exchange:
    async def never() -> Any:
        raise AssertionError("the connection knows of its end without ASGI")

    scope = {"method": "POST", "path": "/", "query_string": b"", "headers": [], "extensions": {EXTENSION: of}}
    return Exchange(scope, never, never)  # type: ignore[arg-type]


def test_writes_of_a_block_are_one_write() -> None:
    made, transport, acknowledgements = connection()
    made.transport.write(b"a")
    with made.transport.one_write():
        made.transport.write(b"head")
        made.transport.write(b"")
        made.transport.writelines([b"bo", b"dy"])
        assert (transport.writes, acknowledgements.written) == ([b"a"], 1)
    made.transport.write(b"z")
    assert transport.writes == [b"a", b"headbody", b"z"]
    assert acknowledgements.written == 10


def test_a_block_that_fails_writes_what_it_had_and_one_without_writes_nothing() -> None:
    made, transport, _ = connection()
    with pytest.raises(LookupError), made.transport.one_write():
        made.transport.write(b"head")
        raise LookupError
    with made.transport.one_write():
        pass
    assert transport.writes == [b"head"]


async def test_work_is_cancelled_when_the_connection_ends() -> None:
    made, _, _ = connection()
    cancelled = asyncio.Event()

    async def work() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            cancelled.set()

    asyncio.get_running_loop().call_soon(made.end)
    with pytest.raises(ClientDisconnected, match="disconnected while waiting"):
        await exchange(made).await_or_disconnect(work(), "waiting")
    assert cancelled.is_set() and made.on_lost is None
    assert await exchange(made).has_disconnected()


async def test_work_is_not_begun_for_a_connection_that_has_ended() -> None:
    made, _, _ = connection()
    made.end()
    begun = False

    async def work() -> None:
        nonlocal begun
        begun = True

    with pytest.raises(ClientDisconnected):
        await exchange(made).await_or_disconnect(work(), "waiting")
    await asyncio.sleep(0)
    assert not begun


@pytest.mark.parametrize("swallows", [False, True])
@pytest.mark.parametrize("turns", range(4))
@pytest.mark.parametrize("cancels_at", [None, 0, 1, 2, 3])
@pytest.mark.parametrize("ends_at", [None, 0, 1, 2, 3])
async def test_end_cancellation_and_result_in_every_order(
    ends_at: int | None, cancels_at: int | None, turns: int, swallows: bool
) -> None:
    """Whatever comes first, the outcome is one of three, and no cancellation is left over for the next await."""
    made, _, _ = connection()
    left_over: list[int] = []

    async def work() -> str:
        for _ in range(turns):
            try:
                await asyncio.sleep(0)
            except asyncio.CancelledError:
                if not swallows:
                    raise
        return "result"

    async def call() -> str:
        task = asyncio.current_task()
        assert task is not None
        try:
            outcome = await exchange(made).await_or_disconnect(work(), "waiting")
        except ClientDisconnected:
            outcome = "disconnected"
        await asyncio.sleep(0)
        left_over.append(task.cancelling())
        return outcome

    task = asyncio.create_task(call())
    for turn in range(6):
        await asyncio.sleep(0)
        if turn == ends_at:
            made.end()
        if turn == cancels_at:
            task.cancel()
    try:
        outcome = await task
    except asyncio.CancelledError:
        assert cancels_at is not None
        return
    assert outcome in ("result", "disconnected")
    if outcome == "disconnected":
        assert ends_at is not None
    if cancels_at is None:
        assert left_over == [0]
        assert outcome == "result" or ends_at is not None


async def test_a_deadline_remains_a_deadline() -> None:
    made, _, _ = connection()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await exchange(made).await_or_disconnect(asyncio.sleep(60), "waiting")
    assert made.on_lost is None
