"""The state of the queue: waiting images per app, live workers, held-off apps."""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from redis.asyncio import Redis
from redis.commands.core import AsyncScript

from inkgate.service.broker.interface import QueueState
from inkgate.service.broker.streams.keys import GROUP, Keys
from inkgate.service.broker.streams.scripts import script_source
from inkgate.service.contract.capabilities import CAPABILITIES
from inkgate.service.errors import BrokerUnavailable

_ALIVE_WITHIN_MS = 5_000
_MAX_HELD_REPORTED = 1000
_STALE_SECONDS = 3.0


@dataclass(frozen=True, slots=True)
class QueueSnapshot:
    """`waiting` is capability -> app -> images, with app "" when unknown; `held` is app -> remaining seconds.

    `legacy_workers` is the number of live workers of an older release, which do not support the fair queue.
    """

    state: QueueState = field(default_factory=lambda: QueueState(0, 0, 0.0, 0))
    waiting: Mapping[str, Counter[str]] = field(default_factory=dict)
    held: Mapping[str, float] = field(default_factory=dict)
    legacy_workers: int = 0


def script(redis: Redis) -> AsyncScript:
    """The script of `read_state`."""
    return redis.register_script(script_source("state"))


async def read_state(state: AsyncScript, keys: Keys) -> QueueSnapshot:
    """Read the current state from the server. Raises RedisError or OSError."""
    found: Any = await state(
        keys=[keys.workers, keys.fair_order_workers, keys.held, *keys.streams()],
        args=[GROUP, _ALIVE_WITHIN_MS, _MAX_HELD_REPORTED],
    )
    workers, legacy_workers, age, flat, *streams = found
    held = {app.decode(): int(ms) / 1000 for app, ms in zip(flat[::2], flat[1::2], strict=True)}
    waiting = {name: _waiting_by_app(*each) for name, each in zip(CAPABILITIES, streams, strict=True)}
    depth, in_flight = sum(each[0] for each in streams), sum(each[1] for each in streams)
    return QueueSnapshot(QueueState(depth, in_flight, age / 1000, workers, len(held)), waiting, held, legacy_workers)


def _waiting_by_app(total: int, pending: int, flat: list[bytes]) -> Counter[str]:
    counts = Counter({app.decode(): int(count) for app, count in zip(flat[::2], flat[1::2], strict=True)})
    counts[""] += max(0, total - counts.total())  # entries in the stream: their app is unknown
    return counts


class QueueView:
    """The state of the queue as a gateway last read it, and its own submissions since then."""

    def __init__(self, redis: Redis, keys: Keys) -> None:
        self._script, self._keys = script(redis), keys
        self._snapshot = QueueSnapshot()
        self._read_at = time.monotonic()
        self._waiting: defaultdict[str, Counter[str]] = defaultdict(Counter)

    async def refresh(self) -> None:
        """Read the state again. Raises RedisError or OSError."""
        self._snapshot = await read_state(self._script, self._keys)
        self._read_at = time.monotonic()
        self._waiting = defaultdict(Counter, self._snapshot.waiting)

    @property
    def waiting(self) -> Mapping[str, Counter[str]]:
        """Images per capability and app, with those submitted since the state was read."""
        return self._waiting

    @property
    def workers(self) -> int:
        """Live workers."""
        return self._snapshot.state.workers

    @property
    def legacy_workers(self) -> int:
        """Live workers of an older release."""
        return self._snapshot.legacy_workers

    @property
    def depth(self) -> int:
        """Images that wait."""
        return self._snapshot.state.depth

    def add(self, capability: str, app: str, images: int) -> None:
        """Count images that were submitted just now."""
        self._waiting[capability][app] += images

    def state(self) -> QueueState:
        """The whole state. Raises BrokerUnavailable when it was last read more than _STALE_SECONDS ago."""
        if time.monotonic() - self._read_at > _STALE_SECONDS:
            raise BrokerUnavailable("the queue has not been seen for a while")
        return self._snapshot.state

    def held(self, app: str) -> float:
        """Remaining seconds of the app's hold-off, 0.0 when it is not held off."""
        return max(0.0, self._snapshot.held.get(app, 0.0) - (time.monotonic() - self._read_at))
