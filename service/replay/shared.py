"""The shared store in Redis: each gateway can send an answer that another one stored."""

from __future__ import annotations

import logging
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import orjson
from redis.asyncio import Redis
from redis.exceptions import RedisError

from inkgate.service.accounts.vault import Vault
from inkgate.service.errors import BrokerUnavailable, ConfigurationError
from inkgate.service.metering.interface import Settlement
from inkgate.service.replay.interface import TTL_SECONDS, KeptAnswer

KEEP, DISCARD = (Path(__file__).with_name(f"{name}.lua").read_text(encoding="utf-8") for name in ("keep", "discard"))

log = logging.getLogger(__name__)

_SETTLEMENT = frozenset(each.name for each in fields(Settlement))


class RedisReplayStore:
    """`ReplayStore` over Redis. One key per answer: the call's id, a line of JSON with status and settlement, the body.

    With a `vault` new answers are sealed but for the call's id; plain ones are read all the same, and without a vault
    sealed ones are not found.

    Raises errors.BrokerUnavailable when Redis cannot be reached: an answer that cannot be stored is not charged.
    """

    def __init__(self, client: Redis, namespace: str, vault: Vault | None = None, *, seal: bool = False) -> None:
        # Until 0.1.0 the prefix was "replay:", with another format.
        self._client, self._prefix = client, f"{namespace}:answer:"
        self._vault, self._seal = vault, seal
        self._keep: Any = client.register_script(KEEP)
        self._discard: Any = client.register_script(DISCARD)

    async def keep(self, key: str, answer: KeptAnswer) -> KeptAnswer:
        """See the interface. Of two gateways that finish the same request, one stores its answer."""
        head = orjson.dumps({"status": answer.status, "settlement": asdict(answer.settlement)})
        content = head + b"\n" + answer.body
        if self._seal and self._vault is not None:
            content = self._vault.seal(content, _context(key))
        raw = answer.settlement.call_id.encode() + b"\n" + content
        try:
            existing = await self._keep(keys=[self._prefix + key], args=[raw, TTL_SECONDS])
        except RedisError as error:
            raise BrokerUnavailable(f"cannot keep an answer: {type(error).__name__}") from None
        return answer if existing is None else self._read(key, existing) or answer

    async def find(self, key: str) -> KeptAnswer | None:
        try:
            raw: Any = await self._client.get(self._prefix + key)
        except RedisError as error:
            raise BrokerUnavailable(f"cannot look for a kept answer: {type(error).__name__}") from None
        return None if raw is None else self._read(key, raw)

    async def discard(self, key: str, call_id: str) -> None:
        """Delete an answer. While Redis cannot be reached it stays until it expires: at worst it is sent again, free of
        charge."""
        try:
            await self._discard(keys=[self._prefix + key], args=[call_id])
        except RedisError:
            return

    def _read(self, key: str, raw: bytes) -> KeptAnswer | None:
        """The stored answer; None when it is sealed and cannot be opened."""
        content = raw.partition(b"\n")[2]
        if not content.startswith(b"{"):  # sealed: a version byte comes first
            try:
                content = self._vault.open(content, _context(key)) if self._vault is not None else b""
            except ConfigurationError as error:
                log.error("a kept answer cannot be opened: %s", error)
                content = b""
        return _parse(content) if content else None


def _context(key: str) -> str:
    """The vault's context of a kept answer."""
    return f"answer:{key}"


def _parse(content: bytes) -> KeptAnswer:
    head, body = content.split(b"\n", 1)
    kept = orjson.loads(head)
    # It may be stored by a gateway of the next release: unknown fields are ignored.
    settlement = {name: value for name, value in kept["settlement"].items() if name in _SETTLEMENT}
    return KeptAnswer(Settlement(**settlement), kept["status"], body)
