"""Work that a form token starts at most once: a form that is sent twice makes one call, and both get its answer."""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

MAX_KEYS = 10_000  # the oldest are forgotten first
MAX_ANSWERS = 64  # an answer may take megabytes
KEY_SECONDS = 3600.0
ANSWER_SECONDS = 120.0  # longer than a browser repeats a request whose answer was lost

T = TypeVar("T")


class AlreadyDone(Exception):
    """The work of this key was done before, and its answer is not kept any more."""


class Once(Generic[T]):
    """Runs work once per key and keeps the answers for a while, in this process and in memory only."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._begun: OrderedDict[str, float] = OrderedDict()
        self._answers: OrderedDict[str, asyncio.Future[T]] = OrderedDict()

    async def run(self, key: str, work: Callable[[], Awaitable[T]]) -> T:
        """The answer of `work`, which runs unless it ran for this key before.

        A second caller waits for the first. Work that raises is forgotten, so that it can be tried again. Raises
        AlreadyDone when the answer was dropped.
        """
        self._drop_old()
        if key in self._answers:
            return await asyncio.shield(self._answers[key])
        if key in self._begun:
            raise AlreadyDone
        if len(self._begun) >= MAX_KEYS:
            self._forget_oldest()
        self._begun[key] = self._clock()
        answer = self._answers[key] = asyncio.get_running_loop().create_future()
        try:
            result = await work()
        except BaseException as error:
            self._begun.pop(key, None)
            self._answers.pop(key, None)
            if not answer.done():
                answer.set_exception(AlreadyDone() if isinstance(error, asyncio.CancelledError) else error)
                answer.exception()  # retrieved: there may be no second caller
            raise
        if not answer.done():
            answer.set_result(result)
        return result

    def _drop_old(self) -> None:
        now = self._clock()
        while self._begun and now - next(iter(self._begun.values())) > KEY_SECONDS:
            self._forget_oldest()
        finished = [key for key, answer in self._answers.items() if answer.done()]
        old = [key for key in finished if now - self._begun[key] > ANSWER_SECONDS]
        surplus = finished[: max(0, len(finished) - MAX_ANSWERS + 1)]
        for key in {*old, *surplus}:
            del self._answers[key]

    def _forget_oldest(self) -> None:
        self._answers.pop(self._begun.popitem(last=False)[0], None)
