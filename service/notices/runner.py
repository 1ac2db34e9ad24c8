"""The background tasks of notices in a gateway: one that looks, one that sends."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable

from sqlalchemy.exc import SQLAlchemyError

from inkgate.service.background import Background
from inkgate.service.errors import ClockSuspect, Misuse
from inkgate.service.notices.delivery import Sender
from inkgate.service.notices.evaluation import Evaluator

POLL_SECONDS = 3.0
CLOSE_SECONDS = 20.0  # for attempts in progress: one that is broken off may go out twice

log = logging.getLogger(__name__)


class NoticeRunner:
    """Runs from `start` to `close`. `report_age` receives the age in seconds of the oldest notice that waits."""

    def __init__(
        self,
        evaluator: Evaluator,
        sender: Sender,
        interval: float,
        report_age: Callable[[float], None],
        background: Background | None = None,
        *,
        poll: float = POLL_SECONDS,
    ) -> None:
        self._evaluator, self._sender, self._interval, self._poll = evaluator, sender, interval, poll
        self._report_age = report_age
        self._closing = asyncio.Event()
        background = background or Background()
        self._looking = background.task("notice-evaluation", self._evaluate)
        self._sending = background.task("notice-delivery", self._send)

    async def start(self) -> None:
        """Start both tasks."""
        self._looking.start()
        self._sending.start()

    async def close(self) -> None:
        """Stop; attempts in progress end first, for at most CLOSE_SECONDS."""
        for task in (self._looking, self._sending):
            task.expect_exit()
        self._closing.set()
        await self._sending.wait(CLOSE_SECONDS)
        await asyncio.gather(self._looking.close(), self._sending.close())

    async def _evaluate(self) -> None:
        while not self._closing.is_set():
            try:
                await self._evaluator.run_round()
            except (SQLAlchemyError, OSError, ClockSuspect, Misuse) as error:
                log.warning("looking for conditions failed and will be tried again: %s", type(error).__name__)
            await self._pause(self._interval)

    async def _send(self) -> None:
        while not self._closing.is_set():
            try:
                tried = await self._sender.run_once()
                self._report_age(await self._sender.backlog_seconds())
            except (SQLAlchemyError, OSError, Misuse) as error:
                log.warning("sending notices failed and will be tried again: %s", type(error).__name__)
                tried = 0
            await self._pause(0.0 if tried else self._poll)

    async def _pause(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._closing.wait(), seconds)
