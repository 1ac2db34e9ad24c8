"""The store of several gateways: Redis, so that any of them can give an answer that another one kept."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import orjson
from redis.asyncio import Redis
from redis.exceptions import RedisError

from service.errors import BrokerDown
from service.metering.interface import Settlement
from service.replay.interface import TTL, KeptAnswer


class RedisReplayStore:
    """`ReplayStore` over Redis. One key per answer: a line of JSON with status and settlement, then the body.

    Raises errors.BrokerDown when Redis is out of reach: an answer that cannot be kept is not paid for.
    """

    def __init__(self, client: Redis, namespace: str) -> None:
        self._client, self._prefix = client, f"{namespace}:replay:"

    async def keep(self, key: str, answer: KeptAnswer) -> None:
        head = orjson.dumps({"status": answer.status, "settlement": asdict(answer.settlement)})
        try:
            await self._client.set(self._prefix + key, head + b"\n" + answer.body, ex=TTL)
        except RedisError as error:
            raise BrokerDown(f"cannot keep an answer: {type(error).__name__}") from None

    async def find(self, key: str) -> KeptAnswer | None:
        try:
            raw: Any = await self._client.get(self._prefix + key)
        except RedisError as error:
            raise BrokerDown(f"cannot look for a kept answer: {type(error).__name__}") from None
        if raw is None:
            return None
        head, _, body = raw.partition(b"\n")
        kept = orjson.loads(head)
        return KeptAnswer(Settlement(**kept["settlement"]), kept["status"], body)

    async def drop(self, key: str) -> None:
        """Forget an answer. When Redis is out of reach it stays until its time is over: at worst it is given twice,
        free, and never paid twice."""
        try:
            await self._client.delete(self._prefix + key)
        except RedisError:
            return
