"""Worker registry over Redis: each `inkgate worker` publishes its workers, a console reads all."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, fields
from typing import Any

import orjson
from redis.exceptions import RedisError

from inkgate.service.background import Background
from inkgate.service.broker.messages import known_fields
from inkgate.service.broker.streams import client
from inkgate.service.broker.streams.keys import Keys
from inkgate.service.broker.streams.scripts import script_source
from inkgate.service.broker.streams.state import read_state, script
from inkgate.service.broker.worker_registry import WorkerRecord, WorkerRegistryState
from inkgate.service.errors import BrokerUnavailable

log = logging.getLogger(__name__)

PUBLISH_INTERVAL_SECONDS = 2.0
_STALE_AFTER_MS = 10_000  # a host that has not published since is not shown
_FORGET_AFTER_MS = 60_000
_TYPES: Mapping[str, tuple[type, ...]] = {"str": (str,), "int": (int,), "float": (int, float)}


class WorkerRegistryPublisher:
    """Publishes the records of one supervisor every PUBLISH_INTERVAL_SECONDS. An unreachable server is retried without
    limit; only the console's list depends on it."""

    def __init__(
        self, url: str, keys: Keys, records: Callable[[], Sequence[WorkerRecord]], background: Background | None = None
    ) -> None:
        self._redis = client.async_client(url, 1)
        self._publish = self._redis.register_script(script_source("post"))
        self._keys, self._records = keys, records
        self._host = f"{socket.gethostname()}-{os.getpid()}"
        self._task = (background or Background()).task("worker-list", self._run)

    def start(self) -> None:
        self._task.start()

    async def close(self) -> None:
        """Remove this host from the registry."""
        await self._task.close()
        try:
            await self._redis.hdel(self._keys.worker_registry, self._host)
        except (RedisError, OSError):
            log.debug("the host was not removed from the worker registry")
        await self._redis.aclose()

    async def _run(self) -> None:
        while True:
            try:
                records = orjson.dumps([asdict(each) for each in self._records()])
                await self._publish(keys=[self._keys.worker_registry], args=[self._host, records, _FORGET_AFTER_MS])
            except (RedisError, OSError) as error:
                log.debug("the worker registry was not updated: %s", error)
            await asyncio.sleep(PUBLISH_INTERVAL_SECONDS)


class RedisWorkerRegistry:
    """A WorkerRegistry over Redis, for a console in its own process."""

    def __init__(self, url: str, keys: Keys) -> None:
        self._redis = client.async_client(url, 2)
        self._state = script(self._redis)
        self._keys = keys

    async def snapshot(self) -> WorkerRegistryState:
        """See WorkerRegistry."""
        try:
            seen = await read_state(self._state, self._keys)
            published: Any = await self._redis.hgetall(self._keys.worker_registry)
            seconds, micros = await self._redis.time()
        except (RedisError, OSError) as error:
            raise BrokerUnavailable(str(error)) from error
        now = seconds * 1000 + micros // 1000
        records = [record for payload in published.values() for record in _decode_records(payload, now)]
        return WorkerRegistryState(seen.state, sorted(records, key=lambda record: (record.host, record.slot)))

    async def close(self) -> None:
        await self._redis.aclose()


def _decode_records(payload: bytes, now: int) -> list[WorkerRecord]:
    """The records of one host; none when they are stale or malformed, so that other hosts are still listed. Unknown
    fields are ignored."""
    published_at, _, records = payload.partition(b" ")
    try:
        if now - int(published_at) > _STALE_AFTER_MS:
            return []
        return [WorkerRecord(**_checked_fields(record)) for record in orjson.loads(records)]
    except (TypeError, ValueError, AttributeError) as error:
        log.warning("a host's list of workers cannot be understood: %s", type(error).__name__)
        return []


def _checked_fields(record: Mapping[str, Any]) -> dict[str, Any]:
    """The known fields of a record. Raises TypeError for a value of the wrong type."""
    given = known_fields(WorkerRecord, record)
    for each in fields(WorkerRecord):
        if each.name in given and not isinstance(given[each.name], _TYPES[str(each.type)]):
            raise TypeError(each.name)
    return given
