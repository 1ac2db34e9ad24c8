"""Start components in order, stop them in reverse order; run until SIGTERM or SIGINT."""

from __future__ import annotations

import asyncio
import signal
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, contextmanager
from types import FrameType
from typing import Any, Protocol, TypeVar

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Component(Protocol):
    """Runs from `start` to `close`. `close` must be safe on a component that has not been started completely."""

    async def start(self) -> None: ...

    async def close(self) -> None: ...


C = TypeVar("C", bound=Component)


async def start_component(stack: AsyncExitStack, component: C) -> C:
    """Start `component`; `stack` closes it, also when its start fails."""
    stack.push_async_callback(component.close)
    await component.start()
    return component


@contextmanager
def stop_signals(callback: Callable[[], None]) -> Iterator[None]:
    """Call `callback` on the running event loop at each SIGTERM and SIGINT inside the block.

    Restores the previous handlers on exit. Does nothing outside the main thread, which alone may set signal handlers.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    loop = asyncio.get_running_loop()

    def handle(number: int, frame: FrameType | None) -> None:
        loop.call_soon_threadsafe(callback)  # a direct call could run between any two bytecodes of the loop

    previous_handlers = {number: signal.signal(number, handle) for number in STOP_SIGNALS}
    try:
        yield
    finally:
        for number, handler in previous_handlers.items():
            signal.signal(number, handler)


@contextmanager
def stop_event() -> Iterator[asyncio.Event]:
    """An event that is set at the first SIGTERM or SIGINT; further signals inside the block have no effect."""
    event = asyncio.Event()
    with stop_signals(event.set):
        yield event


async def run_until_stopped(stop: asyncio.Event, warm_up: Awaitable[None], ready: Callable[[], None]) -> None:
    """Call `ready` once `warm_up` has ended, and return when `stop` is set, before or after that.

    Exceptions of `warm_up` and `ready` propagate.
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
        await cancel_and_wait(warming, stopped)


async def cancel_and_wait(*tasks: asyncio.Future[Any]) -> None:
    """Cancel tasks and wait until all have ended; their exceptions are ignored."""
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
