"""Wait for an event that a test expects. The deadline is generous, for a machine under load."""

from __future__ import annotations

import asyncio
import inspect
import time
from collections.abc import Awaitable, Callable

PATIENCE_SECONDS = 60.0
_POLL_SECONDS = 0.005


async def wait_until(
    condition: Callable[[], bool] | Callable[[], Awaitable[bool]], within: float = PATIENCE_SECONDS, what: str = ""
) -> None:
    """Poll `condition`, plain or asynchronous, until it holds. Raises TimeoutError after `within` seconds."""
    deadline = time.monotonic() + within
    while True:
        held = condition()
        if (await held) if inspect.isawaitable(held) else held:
            return
        if time.monotonic() > deadline:
            raise TimeoutError(what or f"not within {within} s")
        await asyncio.sleep(_POLL_SECONDS)
