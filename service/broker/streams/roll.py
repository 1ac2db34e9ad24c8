"""The roll of all workers over Redis: each `inkgate worker` posts its own, a console reads them all."""

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
from inkgate.service.broker.fleet import FleetState, WorkerCard
from inkgate.service.broker.messages import known
from inkgate.service.broker.streams import client
from inkgate.service.broker.streams.keys import Keys
from inkgate.service.broker.streams.look import look, script
from inkgate.service.broker.streams.scripts import source
from inkgate.service.errors import BrokerUnavailable

log = logging.getLogger(__name__)

POST_EVERY = 2.0
_SILENT_MS = 10_000  # a host that has not posted for so long is not shown
_FORGET_MS = 60_000
_TYPES: Mapping[str, tuple[type, ...]] = {"str": (str,), "int": (int,), "float": (int, float)}


class RollPoster:
    """Posts the cards of one supervisor every two seconds. A server out of reach is tried again, without end and
    without haste: nothing but the console's list waits for it."""

    def __init__(
        self, url: str, keys: Keys, cards: Callable[[], Sequence[WorkerCard]], background: Background | None = None
    ) -> None:
        self._redis = client.on_loop(url, 1)
        self._post = self._redis.register_script(source("post"))
        self._keys, self._cards = keys, cards
        self._host = f"{socket.gethostname()}-{os.getpid()}"
        self._task = (background or Background()).task("worker-list", self._run)

    def start(self) -> None:
        self._task.start()

    async def close(self) -> None:
        """Take this host off the roll."""
        await self._task.close()
        try:
            await self._redis.hdel(self._keys.roll, self._host)
        except (RedisError, OSError):
            log.debug("left without taking the host off the roll")
        await self._redis.aclose()

    async def _run(self) -> None:
        while True:
            try:
                cards = orjson.dumps([asdict(each) for each in self._cards()])
                await self._post(keys=[self._keys.roll], args=[self._host, cards, _FORGET_MS])
            except (RedisError, OSError) as error:
                log.debug("the roll was not posted: %s", error)
            await asyncio.sleep(POST_EVERY)


class StreamsFleet:
    """A Fleet over Redis, for a console in a process of its own."""

    def __init__(self, url: str, keys: Keys) -> None:
        self._redis = client.on_loop(url, 2)
        self._state = script(self._redis)
        self._keys = keys

    async def look(self) -> FleetState:
        """See Fleet."""
        try:
            seen = await look(self._state, self._keys)
            posted: Any = await self._redis.hgetall(self._keys.roll)
            seconds, micros = await self._redis.time()
        except (RedisError, OSError) as error:
            raise BrokerUnavailable(str(error)) from error
        now = seconds * 1000 + micros // 1000
        cards = [card for text in posted.values() for card in _cards(text, now)]
        return FleetState(seen.state, sorted(cards, key=lambda card: (card.host, card.slot)))

    async def close(self) -> None:
        await self._redis.aclose()


def _cards(text: bytes, now: int) -> list[WorkerCard]:
    """The cards of one host, none when it fell silent or cannot be understood: it must not hide the other hosts. Fields
    of another release that we do not know are left out."""
    posted_at, _, cards = text.partition(b" ")
    try:
        if now - int(posted_at) > _SILENT_MS:
            return []
        return [WorkerCard(**_typed(card)) for card in orjson.loads(cards)]
    except (TypeError, ValueError, AttributeError) as error:
        log.warning("a host's list of workers cannot be understood: %s", type(error).__name__)
        return []


def _typed(card: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a card that we know. Raises TypeError for a value of another type."""
    given = known(WorkerCard, card)
    for each in fields(WorkerCard):
        if each.name in given and not isinstance(given[each.name], _TYPES[str(each.type)]):
            raise TypeError(each.name)
    return given
