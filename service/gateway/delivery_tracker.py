"""Tracks sent answers until delivery is known: deletes delivered ones, leaves the others to expire."""

from __future__ import annotations

import asyncio
import logging

from inkgate.service.replay import ReplayStore

log = logging.getLogger("inkgate.call")
REPEAT_WAIT_SECONDS = 0.25  # how long a repeated request waits for the outcome; a delayed ACK takes up to 0.2 s


class DeliveryTracker:
    """The answers sent by this process whose delivery is not known yet, at most MAX_PENDING_ANSWERS of
    `tcp_acknowledgement`.

    Answers still pending when the process exits stay kept: a repeated request gets them free of charge, at worst once
    more than necessary.
    """

    def __init__(self, replays: ReplayStore) -> None:
        self._replays = replays
        self._pending: dict[str, asyncio.Task[None]] = {}

    async def track(self, key: str, call_id: str, delivered: asyncio.Future[bool]) -> None:
        """Delete the kept answer once it is delivered; waits for the deletion only if it is delivered already."""
        if delivered.done():
            if delivered.result():
                await self._replays.discard(key, call_id)
            return
        task = asyncio.create_task(self._drop_if_delivered(key, call_id, delivered))
        self._pending[key] = task
        task.add_done_callback(lambda done: self._close(key, done))

    async def wait_for_outcome(self, key: str) -> None:
        """Wait until the delivery of the answer kept under `key` is known, at most REPEAT_WAIT_SECONDS."""
        if (task := self._pending.get(key)) is not None:
            await asyncio.wait({task}, timeout=REPEAT_WAIT_SECONDS)

    async def _drop_if_delivered(self, key: str, call_id: str, delivered: asyncio.Future[bool]) -> None:
        if await delivered:
            await self._replays.discard(key, call_id)
        else:
            log.info("answer not delivered, kept for replay", extra={"call_id": call_id})

    def _close(self, key: str, task: asyncio.Task[None]) -> None:
        if self._pending.get(key) is task:
            del self._pending[key]
        if not task.cancelled() and (error := task.exception()) is not None:
            log.warning("a delivered answer could not be dropped", exc_info=error)
