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
        self._pending: dict[str, asyncio.Future[None]] = {}  # done when the outcome has been acted on

    async def track(self, key: str, call_id: str, delivered: asyncio.Future[bool]) -> None:
        """Delete the kept answer once it is delivered; waits for the deletion only if it is delivered already."""
        if delivered.done():
            if delivered.result():
                await self._replays.discard(key, call_id)
            return
        finished = self._pending[key] = asyncio.get_running_loop().create_future()
        finished.add_done_callback(lambda _: self._close(key, finished))
        delivered.add_done_callback(lambda outcome: self._act(key, call_id, outcome, finished))

    async def wait_for_outcome(self, key: str) -> None:
        """Wait until the delivery of the answer kept under `key` is known, at most REPEAT_WAIT_SECONDS."""
        if (finished := self._pending.get(key)) is not None:
            await asyncio.wait({finished}, timeout=REPEAT_WAIT_SECONDS)

    def _act(self, key: str, call_id: str, outcome: asyncio.Future[bool], finished: asyncio.Future[None]) -> None:
        if not outcome.cancelled() and outcome.result():
            self._replays.discard(key, call_id).add_done_callback(lambda _: finished.set_result(None))
        else:
            log.info("answer not delivered, kept for replay", extra={"call_id": call_id})
            finished.set_result(None)

    def _close(self, key: str, finished: asyncio.Future[None]) -> None:
        if self._pending.get(key) is finished:
            del self._pending[key]
