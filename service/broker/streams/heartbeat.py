"""Heartbeat of a worker: a thread with its own connection, independent of engine and payloads."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping

from redis.exceptions import RedisError

from inkgate.service.background import Background
from inkgate.service.broker.streams import client
from inkgate.service.broker.streams.keys import GROUP, Keys
from inkgate.service.broker.streams.scripts import script_source

log = logging.getLogger(__name__)

_FORGET_AFTER_MS = 60_000
_CLEANUP_INTERVAL = 200  # heartbeats between two clean-ups of silent consumers
_CONSUMER_SILENCE_MS = 600_000
_FINAL_TIMEOUT_SECONDS = 2.0


class Heartbeat:
    """Sends a heartbeat every `interval` seconds from `start` to `stop`. `held` returns the entries (id -> stream)
    whose lease it renews."""

    def __init__(
        self,
        url: str,
        keys: Keys,
        worker: str,
        interval: float,
        held: Callable[[], Mapping[bytes, str]],
        background: Background | None = None,
    ) -> None:
        self._redis = client.blocking_client(url)
        self._record = self._redis.register_script(script_source("beat"))
        self._leave = self._redis.register_script(script_source("leave"))
        self._keys, self._worker, self._interval, self._held = keys, worker, interval, held
        self._stop = threading.Event()
        self._thread = (background or Background()).thread("heartbeat", self._run)
        self.beating = False

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Stop the heartbeat and unregister the worker."""
        self._thread.expect_exit()
        self._stop.set()
        self._thread.join(_FINAL_TIMEOUT_SECONDS)
        try:
            self._remove_silent_consumers(self._worker)
        except (RedisError, OSError):
            log.debug("left without saying goodbye")
        self._redis.close()

    def _run(self) -> None:
        sent = 0
        while not self._stop.is_set():
            try:
                held = dict(self._held())
                self._record(
                    keys=[self._keys.workers, self._keys.fair_order_workers, *held.values()],
                    args=[GROUP, self._worker, _FORGET_AFTER_MS, *held.keys()],
                )
                sent += 1
                if sent % _CLEANUP_INTERVAL == 0:
                    self._remove_silent_consumers("")
                self._log_state(True)
            except (RedisError, OSError) as error:
                self._log_state(False, error)
            self._stop.wait(self._interval)

    def _remove_silent_consumers(self, worker: str) -> None:
        self._leave(
            keys=[self._keys.workers, self._keys.fair_order_workers, *self._keys.streams()],
            args=[GROUP, worker, _CONSUMER_SILENCE_MS],
        )

    def _log_state(self, beating: bool, error: Exception | None = None) -> None:
        if beating != self.beating:
            self.beating = beating
            log.log(logging.INFO if beating else logging.WARNING, "heartbeat %s", "begins" if beating else error)
