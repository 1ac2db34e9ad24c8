"""What the server tells of the queue: what waits and for whom, who works, which apps are held off."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from redis.asyncio import Redis
from redis.commands.core import AsyncScript

from inkgate.service.broker.interface import QueueState
from inkgate.service.broker.streams.keys import GROUP, Keys
from inkgate.service.broker.streams.scripts import source
from inkgate.service.contract.capabilities import CAPABILITIES

_ALIVE_MS = 5_000
_HELD_TOLD = 1000


@dataclass(frozen=True, slots=True)
class Seen:
    """`waiting` is capability -> app -> images, "" for those whose app is not known; `held` is app -> seconds left.

    `unaware` is the number of live workers that know of no fair order: those of an older release.
    """

    state: QueueState = field(default_factory=lambda: QueueState(0, 0, 0.0, 0))
    waiting: Mapping[str, Counter[str]] = field(default_factory=dict)
    held: Mapping[str, float] = field(default_factory=dict)
    unaware: int = 0


def script(redis: Redis) -> AsyncScript:
    """What `look` calls."""
    return redis.register_script(source("state"))


async def look(state: AsyncScript, keys: Keys) -> Seen:
    """Ask the server now. Raises RedisError or OSError when it cannot be asked."""
    found: Any = await state(
        keys=[keys.workers, keys.aware, keys.held, *keys.streams()], args=[GROUP, _ALIVE_MS, _HELD_TOLD]
    )
    workers, unaware, age, flat, *streams = found
    held = {app.decode(): int(ms) / 1000 for app, ms in zip(flat[::2], flat[1::2], strict=True)}
    waiting = {name: _lanes(*each) for name, each in zip(CAPABILITIES, streams, strict=True)}
    depth, in_flight = sum(each[0] for each in streams), sum(each[1] for each in streams)
    return Seen(QueueState(depth, in_flight, age / 1000, workers, len(held)), waiting, held, unaware)


def _lanes(total: int, pending: int, flat: list[bytes]) -> Counter[str]:
    lanes = Counter({app.decode(): int(count) for app, count in zip(flat[::2], flat[1::2], strict=True)})
    lanes[""] += max(0, total - lanes.total())  # in the stream, on their way to a worker
    return lanes
