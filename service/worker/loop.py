"""The pull loop: one task at a time, until it is time to leave. A worker on a GPU runs several (see `lanes`)."""

from __future__ import annotations

import logging
import math
import random
import threading
import time
from collections.abc import Callable
from dataclasses import replace

from inkgate.engines.interfaces import Reader
from inkgate.service.broker.interface import Outcome, Reply, Task, WorkerPort
from inkgate.service.telemetry.tracing import Tracing
from inkgate.service.worker.config import WorkerConfig
from inkgate.service.worker.isolate import read_alone
from inkgate.service.worker.process import data_mib, memory_for_images, rss_mib
from inkgate.service.worker.reading import facts, read
from inkgate.service.worker.watchdog import Watchdog

log = logging.getLogger(__name__)

_PULL_SECONDS = 0.4
_ABOVE_WARM = 1.5
_LAST_DELIVERY = 2  # read alone in a child process; a task that comes back even then is poison


class PullLoop:
    """Pulls, reads and answers. `stop` ends the loop between two tasks.

    `on_done` hears of every task answered, and how many the process had in hand when it had been read.
    """

    def __init__(
        self,
        port: WorkerPort,
        reader: Reader,
        config: WorkerConfig,
        name: str,
        stop: threading.Event,
        on_done: Callable[[Task, Reply, int], None] = lambda task, reply, in_hand: None,
        tracing: Tracing | None = None,
        watchdog: Watchdog | None = None,
    ) -> None:
        self._tracing = tracing or Tracing()
        self._watchdog = watchdog or Watchdog()
        self._port = port
        self._reader = reader
        self._config = config
        self._name = name
        self._stop = stop
        self._on_done = on_done
        self._around = 0.0  # seconds an image takes besides reading, a moving mean
        # Some engines are larger than the limit before they have read anything.
        self._most_rss = max(config.max_rss_mib, _ABOVE_WARM * rss_mib()) if config.max_rss_mib else math.inf
        # Memory that stays taken comes off what the next image may take (limit_memory): half of that is kept free.
        room = memory_for_images(config.image_mib, config.at_once)
        self._most_data = data_mib() + room / 2 if room else math.inf
        # Workers that started together must not all leave together. A lane reads its share of a worker's images.
        share = config.max_images / config.at_once
        self._images_left = math.ceil(share * random.uniform(0.9, 1.1)) or None  # noqa: S311

    def run(self) -> str:
        """Serve until stopped, worn out or too fat; returns the reason: "stop", "images" or "memory"."""
        while not self._stop.is_set():
            asked = time.perf_counter()
            task = self._port.pull(_PULL_SECONDS)
            if task is None:
                continue
            begun = time.perf_counter()
            with self._tracing.span("read", parent=task.trace, capability=task.capability, call=task.call_id):
                reply, in_hand = self._answer(task)
            done = time.perf_counter()
            if task.delivery == 1:
                reply = replace(reply, busy=done - begun + self._around)
            self._port.reply(task, reply)
            self._on_done(task, reply, in_hand)
            if task.queued > begun - asked:  # it was there when we asked: nothing of this was idleness
                self._around += 0.2 * (begun - asked + time.perf_counter() - done - self._around)
            if self._images_left is not None:
                self._images_left -= 1
                if self._images_left <= 0:
                    return "images"
            if rss_mib() > self._most_rss or data_mib() > self._most_data:
                return "memory"
        return "stop"

    def _answer(self, task: Task) -> tuple[Reply, int]:
        """The reply, and the pictures in hand. Counted here, for those that end together are gone by `on_done`."""
        if task.delivery > _LAST_DELIVERY:
            log.error("poison: this picture took two workers down", extra=facts(task))
            return Reply(task.call_id, task.number, Outcome.FAILED, worker=self._name), 1
        if task.delivery == _LAST_DELIVERY:
            return read_alone(task, self._config, self._name), 1
        with self._watchdog.until(task.deadline + self._config.overrun):
            return read(self._reader, task, self._config, self._name), self._watchdog.in_hand
