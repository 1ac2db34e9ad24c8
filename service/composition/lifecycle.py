"""Start in order, stop in reverse order; run until SIGTERM or Ctrl-C."""

from __future__ import annotations

import asyncio
import signal
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, contextmanager
from types import FrameType
from typing import Any, Protocol, TypeVar

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Part(Protocol):
    """What runs from `start` to `close`. `close` is safe on a part that was not started, or not completely."""

    async def start(self) -> None: ...

    async def close(self) -> None: ...


P = TypeVar("P", bound=Part)


async def started(stack: AsyncExitStack, part: P) -> P:
    """Start `part`; `stack` closes it, also when its own start fails half-way."""
    stack.push_async_callback(part.close)
    await part.start()
    return part


@contextmanager
def stop_signals(tell: Callable[[], None]) -> Iterator[None]:
    """Call `tell` on the running event loop at each SIGTERM and SIGINT until the block is left.

    The handlers that were set before take their place again. Outside the main thread, which alone may set handlers,
    signals are left alone.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    loop = asyncio.get_running_loop()

    def handle(number: int, frame: FrameType | None) -> None:
        loop.call_soon_threadsafe(tell)  # not `tell` itself: it would run between any two instructions of the loop

    before = {number: signal.signal(number, handle) for number in STOP_SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def stop_event() -> Iterator[asyncio.Event]:
    """An event that is set at the first SIGTERM or SIGINT; further ones change nothing until the block is left."""
    event = asyncio.Event()
    with stop_signals(event.set):
        yield event


async def run_until_stopped(stop: asyncio.Event, warm_up: Awaitable[None], ready: Callable[[], None]) -> None:
    """Call `ready` once `warm_up` is over, and return when `stop` is set, be it before or after.

    Raises what `warm_up` or `ready` raises.
    """
    warming = asyncio.ensure_future(warm_up)
    stopped = asyncio.create_task(stop.wait())
    try:
        await asyncio.wait({warming, stopped}, return_when=asyncio.FIRST_COMPLETED)
        if warming.done():
            warming.result()
            ready()
        await stopped
    finally:
        await cancelled(warming, stopped)


async def cancelled(*tasks: asyncio.Future[Any]) -> None:
    """Cancel tasks and wait for their end, whatever it is."""
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
