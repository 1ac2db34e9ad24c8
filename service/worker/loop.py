"""The pull loop of a worker: one task at a time. A worker on a GPU runs several loops (see `concurrency`)."""

from __future__ import annotations

import logging
import math
import random
import threading
import time
from collections.abc import Callable
from dataclasses import replace

from inkgate.engines.interfaces import Reader
from inkgate.engines.types import MemoryGrowth
from inkgate.service.broker.interface import Outcome, Reply, Task, WorkerPort
from inkgate.service.telemetry.tracing import Tracing
from inkgate.service.worker.config import WorkerConfig
from inkgate.service.worker.cores import Cores
from inkgate.service.worker.isolate import read_isolated
from inkgate.service.worker.process import data_mib, memory_for_images, rss_mib, set_memory_limit
from inkgate.service.worker.reading import log_fields, read_task
from inkgate.service.worker.watchdog import Watchdog

log = logging.getLogger(__name__)

_PULL_SECONDS = 0.4
_MEMORY_GROWTH_FACTOR = 1.5  # of the resident memory after warm-up
_ISOLATED_DELIVERY = 2  # read in a child process; a task that is delivered once more is poison


class PullLoop:
    """Pulls a task, reads it and replies. `stop` ends the loop between two tasks.

    `on_done` is called for every answered task, with the number of tasks that the process had in progress.
    """

    def __init__(
        self,
        port: WorkerPort,
        reader: Reader,
        config: WorkerConfig,
        name: str,
        stop: threading.Event,
        on_done: Callable[[Task, Reply, int], None] = lambda task, reply, in_progress: None,
        tracing: Tracing | None = None,
        watchdog: Watchdog | None = None,
        cores: Cores | None = None,
    ) -> None:
        self._tracing = tracing or Tracing()
        self._watchdog = watchdog or Watchdog()
        self._cores = cores or Cores.alone(1, 1)
        self._port = port
        self._reader = reader
        self._config = config
        self._name = name
        self._stop = stop
        self._on_done = on_done
        self._overhead = 0.0  # seconds per image besides reading, moving average
        self._growth = MemoryGrowth()
        self._set_limits(reader.info.growth)
        # Spread, so that workers started together do not exit together. Each thread has its share of the image limit.
        share = config.max_images / config.at_once
        self._images_left = math.ceil(share * random.uniform(0.9, 1.1)) or None  # noqa: S311

    def run(self) -> str:
        """Serve until stopped, or until the image limit or the memory limit is reached. Returns "stop", "images" or
        "memory"."""
        while not self._stop.is_set():
            asked = time.perf_counter()
            task = self._port.pull(_PULL_SECONDS)
            if task is None:
                continue
            started = time.perf_counter()
            span = self._tracing.span("read", parent=task.trace, capability=task.capability, call=task.call_id)
            with span, self._cores.in_use():
                reply, in_progress = self._answer(task)
            done = time.perf_counter()
            if task.delivery == 1:
                reply = replace(reply, busy=done - started + self._overhead)
            self._port.reply(task, reply)
            self._on_done(task, reply, in_progress)
            if task.queued > started - asked:  # the task was queued before the pull: no idle time in it
                self._overhead += 0.2 * (started - asked + time.perf_counter() - done - self._overhead)
            if self._images_left is not None:
                self._images_left -= 1
                if self._images_left <= 0:
                    return "images"
            self._follow_growth()
            if rss_mib() > self._max_rss_mib or data_mib() > self._max_data_mib:
                return "memory"
        return "stop"

    def _set_limits(self, growth: MemoryGrowth) -> None:
        """Set the limits of this loop above the present size of the process and what its engine will still take."""
        self._growth = growth
        # Some engines exceed the limit before they have read an image.
        expected = _MEMORY_GROWTH_FACTOR * (rss_mib() + growth.resident_mib)
        self._max_rss_mib = max(self._config.max_rss_mib, expected) if self._config.max_rss_mib else math.inf
        # Memory that is not released reduces what the next image may allocate (set_memory_limit): keep half of it free.
        headroom = memory_for_images(self._config.image_mib, self._config.at_once)
        self._max_data_mib = data_mib() + growth.data_mib + headroom / 2 if headroom else math.inf

    def _follow_growth(self) -> None:
        """Once the engine has what it needs, limit this process by what it has instead of what was expected."""
        if self._growth != MemoryGrowth() and self._reader.info.growth == MemoryGrowth():
            set_memory_limit(self._config.image_mib, self._config.at_once)
            self._set_limits(MemoryGrowth())

    def _answer(self, task: Task) -> tuple[Reply, int]:
        """The reply, and the number of tasks in progress, counted before any of them has ended."""
        if task.delivery > _ISOLATED_DELIVERY:
            log.error("poison: this image killed two workers", extra=log_fields(task))
            return Reply(task.call_id, task.number, Outcome.FAILED, worker=self._name), 1
        if task.delivery == _ISOLATED_DELIVERY:
            return read_isolated(task, self._config, self._name), 1
        with self._watchdog.deadline(task.deadline + self._config.overrun):
            return read_task(self._reader, task, self._config, self._name), self._watchdog.in_progress
