"""The pull loop: one task at a time, until it is time to leave."""

from __future__ import annotations

import faulthandler
import logging
import random
import threading
import time
from collections.abc import Callable
from dataclasses import replace

from engines.interfaces import Reader
from service.broker.interface import Outcome, Reply, Task, WorkerPort
from service.telemetry.tracing import Tracing
from service.worker.config import WorkerConfig
from service.worker.isolate import read_alone
from service.worker.process import rss_mib
from service.worker.reading import facts, read

log = logging.getLogger(__name__)

_PULL_SECONDS = 0.4
_LAST_DELIVERY = 2  # read alone in a child process; a task that comes back even then is poison


class PullLoop:
    """Pulls, reads and answers. `on_done` hears of every task answered; `stop` ends the loop between two tasks."""

    def __init__(
        self,
        port: WorkerPort,
        reader: Reader,
        config: WorkerConfig,
        name: str,
        stop: threading.Event,
        on_done: Callable[[Task, Reply], None] = lambda task, reply: None,
        tracing: Tracing | None = None,
    ) -> None:
        self._tracing = tracing or Tracing()
        self._port = port
        self._reader = reader
        self._config = config
        self._name = name
        self._stop = stop
        self._on_done = on_done
        self._around = 0.0  # seconds an image takes besides reading, a moving mean
        # Workers that started together must not all leave together.
        self._images_left = int(config.max_images * random.uniform(0.9, 1.1)) or None  # noqa: S311

    def run(self) -> str:
        """Serve until stopped, worn out or too fat; returns the reason: "stop", "images" or "memory"."""
        while not self._stop.is_set():
            asked = time.perf_counter()
            task = self._port.pull(_PULL_SECONDS)
            if task is None:
                continue
            begun = time.perf_counter()
            with self._tracing.span("read", parent=task.trace, capability=task.capability, call=task.call_id):
                reply = self._answer(task)
            done = time.perf_counter()
            if task.delivery == 1:
                reply = replace(reply, busy=done - begun + self._around)
            self._port.reply(task, reply)
            self._on_done(task, reply)
            if task.queued > begun - asked:  # it was there when we asked: nothing of this was idleness
                self._around += 0.2 * (begun - asked + time.perf_counter() - done - self._around)
            if self._images_left is not None:
                self._images_left -= 1
                if self._images_left <= 0:
                    return "images"
            if self._config.max_rss_mib and rss_mib() > self._config.max_rss_mib:
                return "memory"
        return "stop"

    def _answer(self, task: Task) -> Reply:
        if task.delivery > _LAST_DELIVERY:
            log.error("poison: this picture took two workers down", extra=facts(task))
            return Reply(task.call_id, task.number, Outcome.FAILED, worker=self._name)
        if task.delivery == _LAST_DELIVERY:
            return read_alone(task, self._config, self._name)
        # Python cannot interrupt a native call. A timer of the C library ends the process when the engine hangs
        # on a picture whose caller has long been answered.
        faulthandler.dump_traceback_later(max(0.0, task.deadline - time.time()) + self._config.overrun, exit=True)
        try:
            return read(self._reader, task, self._config, self._name)
        finally:
            faulthandler.cancel_dump_traceback_later()
