"""The shared store in Redis: each gateway can send an answer that another one stored."""

from __future__ import annotations

import asyncio
from dataclasses import fields
from pathlib import Path
from typing import Any

import orjson
from redis.exceptions import RedisError

from inkgate.service.errors import BrokerUnavailable
from inkgate.service.metering.interface import Settlement
from inkgate.service.redis_batches import CommandBatches
from inkgate.service.replay.interface import TTL_SECONDS, KeptAnswer

KEEP, DISCARD = (Path(__file__).with_name(f"{name}.lua").read_text(encoding="utf-8") for name in ("keep", "discard"))

PATIENCE_SECONDS = 3.0  # long enough for a restart of the server
_SETTLEMENT = frozenset(each.name for each in fields(Settlement))


class RedisReplayStore:
    """`ReplayStore` over Redis. One key per answer: the call's id, a line of JSON with status and settlement, the body.

    Raises errors.BrokerUnavailable when Redis cannot be reached: an answer that cannot be stored is not charged.
    """

    def __init__(self, commands: CommandBatches, namespace: str) -> None:
        # Until 0.1.0 the prefix was "replay:", with another format.
        self._commands, self._prefix = commands, f"{namespace}:answer:"
        self._keep = commands.script(KEEP, patience=PATIENCE_SECONDS)
        self._discard = commands.script(DISCARD, patience=PATIENCE_SECONDS)

    async def keep(self, key: str, answer: KeptAnswer) -> KeptAnswer:
        """See the interface. Of two gateways that finish the same request, one stores its answer."""
        head = orjson.dumps({"status": answer.status, "settlement": answer.settlement})
        raw = answer.settlement.call_id.encode() + b"\n" + head + b"\n" + answer.body
        try:
            existing = await self._keep(keys=[self._prefix + key], args=[raw, TTL_SECONDS])
        except (RedisError, OSError) as error:
            raise BrokerUnavailable(f"cannot keep an answer: {type(error).__name__}") from None
        return answer if existing is None else _read(existing)

    async def find(self, key: str) -> KeptAnswer | None:
        try:
            raw: Any = await self._commands.execute("GET", self._prefix + key, patience=PATIENCE_SECONDS)
        except (RedisError, OSError) as error:
            raise BrokerUnavailable(f"cannot look for a kept answer: {type(error).__name__}") from None
        return None if raw is None else _read(raw)

    def discard(self, key: str, call_id: str) -> asyncio.Future[None]:
        """See the interface. While Redis cannot be reached an answer stays until it expires: at worst it is sent again,
        free of charge."""
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

        def finish(answer: asyncio.Future[Any]) -> None:
            if not answer.cancelled():
                answer.exception()  # retrieved, and ignored
            if not done.done():
                done.set_result(None)

        self._discard.start(keys=[self._prefix + key], args=[call_id]).add_done_callback(finish)
        return done


def _read(raw: bytes) -> KeptAnswer:
    _, head, body = raw.split(b"\n", 2)
    kept = orjson.loads(head)
    # It may be stored by a gateway of the next release: unknown fields are ignored.
    settlement = {name: value for name, value in kept["settlement"].items() if name in _SETTLEMENT}
    return KeptAnswer(Settlement(**settlement), kept["status"], body)
