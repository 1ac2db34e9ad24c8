"""From the bytes of a body to base64 texts and images, and the seal of an answer: off the event loop where large."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any, TypeVar

from inkgate.service.contract.requests import ParsedRequest, check, parse, refuse_encoding
from inkgate.service.gateway.exchange import SMALL_BODY
from inkgate.service.gateway.phases import Entered, Parsed
from inkgate.service.sealed import SealedRequest, open_request, seal_answer, sm2

T = TypeVar("T")


class BodyCodec:
    """Unseals, parses and checks request bodies, and seals answers: small ones on the spot, which is cheaper than a
    thread, larger ones in `pool`."""

    def __init__(self, pool: ThreadPoolExecutor, provider: sm2.Provider) -> None:
        self._pool, self._provider = pool, provider

    async def parse(self, entered: Entered) -> tuple[Parsed, list[Any]]:
        """Unseal and parse the body: the base64 texts of its images, for `check`. Raises SealFault and RequestFault.

        Afterwards the texts alone hold the body, and it goes with the last of them: it may be 100 megabytes.
        """
        admitted = entered.admitted
        exchange, capability = admitted.exchange, admitted.capability
        refuse_encoding(capability, exchange.headers.get("content-encoding", ""))
        seal = await self._unseal(entered)
        with admitted.watch.stage("parse"):
            body = exchange.body if seal is None else seal.plaintext
            size = len(body)
            texts = await self._run(parse, capability, body, size=size)
            exchange.drop_body()
            if seal is not None:
                seal = replace(seal, plaintext=b"")
            return Parsed(entered, len(texts), size, seal), texts

    async def check(self, parsed: Parsed, texts: list[Any]) -> ParsedRequest:
        """Decode and check every image; empties `texts`. Raises RequestFault for a fault of the whole request."""
        return await self._run(check, parsed.admitted.capability, texts, size=parsed.plain_bytes)

    async def seal(self, answer: bytes, seal: SealedRequest) -> bytes:
        """The answer under the client's keys."""
        return await self._run(seal_answer, answer, seal, size=len(answer))

    async def _unseal(self, entered: Entered) -> SealedRequest | None:
        """The opened body and the client's keys; None for a body that was sent in plain."""
        admitted = entered.admitted
        if admitted.exchange.headers.get("decrypted", "").strip().lower() != "true":
            return None
        with admitted.watch.stage("unseal"):
            body, private_key = admitted.exchange.body, admitted.app.sm2_private_key
            return await self._run(open_request, body, private_key, self._provider, size=len(body))

    async def _run(self, function: Callable[..., T], *arguments: Any, size: int) -> T:
        if size < SMALL_BODY:
            return function(*arguments)
        return await asyncio.get_running_loop().run_in_executor(self._pool, function, *arguments)
