"""Token buckets in Redis, shared by all gateways: one Lua call per request."""

from __future__ import annotations

import asyncio
import logging
import time
from pathlib import Path

from redis.exceptions import RedisError

from inkgate.service.ratelimit.local import LocalLimiter, burst
from inkgate.service.redis_batches import CommandBatches

SCRIPT = Path(__file__).with_name("acquire.lua").read_text(encoding="utf-8")
TIMEOUT_SECONDS = 0.1  # a slower answer counts as a failure
RETRY_AFTER_FAILURE_SECONDS = 1.0  # time without calls to Redis after a failure

log = logging.getLogger(__name__)


class RedisLimiter:
    """The bucket of each (app, capability) under `namespace`:rate:…

    While Redis does not answer, each gateway counts its own requests.
    """

    def __init__(self, commands: CommandBatches, namespace: str, *, timeout: float = TIMEOUT_SECONDS) -> None:
        self._namespace, self._timeout = namespace, timeout
        self._acquire = commands.script(SCRIPT)
        self._local = LocalLimiter()
        self._resting_until = 0.0

    async def acquire(self, app_id: str, capability: str, qps: float) -> float | None:
        """Take a token. None when the request is allowed, otherwise the seconds until a token is available."""
        if time.monotonic() >= self._resting_until:
            try:
                key = f"{self._namespace}:rate:{app_id}:{capability}"
                async with asyncio.timeout(self._timeout):
                    wait = int(await self._acquire(keys=[key], args=[qps, burst(qps)]))
                return None if wait < 0 else wait / 1000
            except (RedisError, OSError, TimeoutError) as error:
                self._resting_until = time.monotonic() + RETRY_AFTER_FAILURE_SECONDS
                log.warning("the rate limiter cannot reach Redis and counts locally: %s", type(error).__name__)
        return self._local.try_acquire(app_id, capability, qps)

    async def close(self) -> None:
        """Nothing to close: the caller owns the connection."""
