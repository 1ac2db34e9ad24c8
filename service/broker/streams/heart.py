"""A worker's heartbeat: a thread with its own connection, so that neither engine nor big payloads delay it."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping

from redis.exceptions import RedisError

from inkgate.service.background import Background
from inkgate.service.broker.streams import client
from inkgate.service.broker.streams.keys import GROUP, Keys
from inkgate.service.broker.streams.scripts import source

log = logging.getLogger(__name__)

_FORGET_MS = 60_000
_SWEEP_EVERY = 200  # beats between two looks for consumers that left without a word
_CONSUMER_SILENCE_MS = 600_000
_LAST_BEAT_SECONDS = 2.0


class Heart:
    """Beats every `interval` seconds from `start` to `stop`; `held` tells which entries (id -> stream) to keep."""

    def __init__(
        self,
        url: str,
        keys: Keys,
        worker: str,
        interval: float,
        held: Callable[[], Mapping[bytes, str]],
        background: Background | None = None,
    ) -> None:
        self._redis = client.blocking(url)
        self._beat = self._redis.register_script(source("beat"))
        self._leave = self._redis.register_script(source("leave"))
        self._keys, self._worker, self._interval, self._held = keys, worker, interval, held
        self._stop = threading.Event()
        self._thread = (background or Background()).thread("heartbeat", self._run)
        self.beating = False

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Stop beating and take the worker's name off the list."""
        self._thread.ending()
        self._stop.set()
        self._thread.join(_LAST_BEAT_SECONDS)
        try:
            self._sweep(self._worker)
        except (RedisError, OSError):
            log.debug("left without saying goodbye")
        self._redis.close()

    def _run(self) -> None:
        beats = 0
        while not self._stop.is_set():
            try:
                held = dict(self._held())
                self._beat(
                    keys=[self._keys.workers, self._keys.aware, *held.values()],
                    args=[GROUP, self._worker, _FORGET_MS, *held.keys()],
                )
                beats += 1
                if beats % _SWEEP_EVERY == 0:
                    self._sweep("")
                self._tell(True)
            except (RedisError, OSError) as error:
                self._tell(False, error)
            self._stop.wait(self._interval)

    def _sweep(self, worker: str) -> None:
        self._leave(
            keys=[self._keys.workers, self._keys.aware, *self._keys.streams()],
            args=[GROUP, worker, _CONSUMER_SILENCE_MS],
        )

    def _tell(self, beating: bool, error: Exception | None = None) -> None:
        if beating != self.beating:
            self.beating = beating
            log.log(logging.INFO if beating else logging.WARNING, "heartbeat %s", "begins" if beating else error)
