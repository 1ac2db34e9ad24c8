"""Kept answers between their last byte and the verdict on it: dropped when delivered, otherwise left to their time."""

from __future__ import annotations

import asyncio
import logging

from inkgate.service.replay import ReplayStore

log = logging.getLogger("inkgate.call")
REPEAT_SECONDS = 0.25  # a repeat waits so long for the verdict on the answer before it; a delayed ACK takes up to 0.2


class Deliveries:
    """The answers that this process has sent and nobody has judged yet. Bounded by `delivery.MOST_ANSWERS`.

    When the process ends, what is not judged stays kept: whoever repeats the request gets it free, at worst once more.
    """

    def __init__(self, replays: ReplayStore) -> None:
        self._replays = replays
        self._open: dict[str, asyncio.Task[None]] = {}

    async def watch(self, key: str, call_id: str, delivered: asyncio.Future[bool]) -> None:
        """Drop the answer when it is delivered. Waits only for dropping one that is known to be."""
        if delivered.done():
            if delivered.result():
                await self._replays.discard(key, call_id)
            return
        task = asyncio.create_task(self._judge(key, call_id, delivered))
        self._open[key] = task
        task.add_done_callback(lambda done: self._close(key, done))

    async def verdict(self, key: str) -> None:
        """Return once the answer kept under `key` is judged, or after REPEAT_SECONDS; at once when there is none."""
        if (task := self._open.get(key)) is not None:
            await asyncio.wait({task}, timeout=REPEAT_SECONDS)

    async def _judge(self, key: str, call_id: str, delivered: asyncio.Future[bool]) -> None:
        if await delivered:
            await self._replays.discard(key, call_id)
        else:
            log.info("answer not delivered, kept for replay", extra={"call_id": call_id})

    def _close(self, key: str, task: asyncio.Task[None]) -> None:
        if self._open.get(key) is task:
            del self._open[key]
        if not task.cancelled() and (error := task.exception()) is not None:
            log.warning("a delivered answer could not be dropped", exc_info=error)
