"""Decodes request bodies to images and seals answers; large ones in a thread pool, off the event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any, TypeVar

from inkgate.service.contract.requests import ParsedRequest, decode_and_check, parse, refuse_encoding
from inkgate.service.gateway.exchange import SMALL_BODY_BYTES
from inkgate.service.gateway.phases import Accepted, Parsed
from inkgate.service.sealed import SealedRequest, open_request, seal_answer, sm2

T = TypeVar("T")


class BodyCodec:
    """Unseals, parses and validates request bodies, and seals answers: bodies below SMALL_BODY_BYTES inline, which is
    cheaper than a thread, larger ones in `pool`."""

    def __init__(self, pool: ThreadPoolExecutor, provider: sm2.Provider) -> None:
        self._pool, self._provider = pool, provider

    async def parse(self, accepted: Accepted) -> tuple[Parsed, list[Any]]:
        """Unseal and parse the body; returns the base64 texts of its images, for `check`.

        Afterwards only the texts reference the body (up to 100 MB); it is freed with the last of them.
        Raises SealFault and RequestFault.
        """
        admitted = accepted.admitted
        exchange, capability = admitted.exchange, admitted.capability
        refuse_encoding(capability, exchange.headers.get("content-encoding", ""))
        seal = await self._unseal(accepted)
        with admitted.stopwatch.stage("parse"):
            body = exchange.body if seal is None else seal.plaintext
            size = len(body)
            texts = await self.run(parse, capability, body, size=size)
            exchange.drop_body()
            if seal is not None:
                seal = replace(seal, plaintext=b"")
            return Parsed(accepted, len(texts), size, seal), texts

    async def check(self, parsed: Parsed, texts: list[Any]) -> ParsedRequest:
        """Decode and validate every image; empties `texts`. Raises RequestFault for a fault of the whole request."""
        return await self.run(decode_and_check, parsed.admitted.capability, texts, size=parsed.plain_bytes)

    async def seal(self, answer: bytes, seal: SealedRequest) -> bytes:
        """Seal the answer with the client's keys."""
        return await self.run(seal_answer, answer, seal, size=len(answer))

    async def _unseal(self, accepted: Accepted) -> SealedRequest | None:
        """The unsealed body and the client's keys; None for a plain body."""
        admitted = accepted.admitted
        if admitted.exchange.headers.get("decrypted", "").strip().lower() != "true":
            return None
        with admitted.stopwatch.stage("unseal"):
            body, private_key = admitted.exchange.body, admitted.app.sm2_private_key
            return await self.run(open_request, body, private_key, self._provider, size=len(body))

    async def run(self, function: Callable[..., T], *arguments: Any, size: int) -> T:
        """Call a function whose work grows with `size` bytes: at once, or in the thread pool for large ones."""
        if size < SMALL_BODY_BYTES:
            return function(*arguments)
        return await asyncio.get_running_loop().run_in_executor(self._pool, function, *arguments)
