"""One HTTP request and its answer over raw ASGI: headers as sent, body under a budget, delivery observed."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from starlette.types import Message, Receive, Scope, Send

from inkgate.service.contract.headers import Surface, merge_repeats, refused_repeats
from inkgate.service.errors import BodyTooLarge, BodyTooSlow, ClientGone, Overloaded
from inkgate.service.gateway.budget import Budget
from inkgate.service.gateway.delivery import EXTENSION, Acknowledgements
from inkgate.service.gateway.request_line import RAW_QUERY

SMALL_BODY = 32 * 1024  # bytes
_TURNS = 4  # of the event loop that others get for each piece of a large body
_MOST_DROPPED = 1 << 30  # bytes
_DRAIN_SECONDS = 20  # a refused upload is read and dropped this long, so that the client gets to see the answer


@dataclass(frozen=True, slots=True)
class Answer:
    """What goes back: status, body and content type; `headers` are further ones."""

    status: int
    body: bytes
    content_type: str = "application/json; charset=utf-8"
    headers: Mapping[str, str] = field(default_factory=dict)


class Exchange:
    """Reads the request of one ASGI scope and sends one answer."""

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._receive, self._send = receive, send
        extensions = scope.get("extensions", {})
        self._acknowledgements: Acknowledgements | None = extensions.get(EXTENSION)
        self.method: str = scope["method"]
        self.path: str = scope["path"]
        self.query: str = extensions.get(RAW_QUERY, scope["query_string"]).decode("latin-1")  # as sent
        self.client_ip = ""
        # Text whose code points are the bytes received: a signature is checked over those.
        raw = scope["headers"]
        self.headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in merge_repeats(raw)}
        self.repeated = refused_repeats(raw, Surface.CALLS)
        for name in self.repeated:
            del self.headers[name]  # none of its lines is believed
        self.body = bytearray()
        self.body_hash = hashlib.sha256(b"").hexdigest()
        self._held = 0
        self._budget: Budget | None = None
        self._begun = self._whole = False  # how much of the body has come

    async def read_body(self, limit: int, seconds: float, budget: Budget) -> None:
        """Fill `body` and `body_hash` (sha256 hex of the bytes as received).

        Raises BodyTooLarge above `limit` bytes, Overloaded when `budget` is used up, BodyTooSlow when the body is not
        there after `seconds`, ClientGone when the client hangs up. What is taken from the budget stays taken until
        `release`; a body refused half way gives its part back at once, so that of several that came together one gets
        through.
        """
        self._budget = budget
        if self.announced > limit:
            await self._drain(2 * limit)
            raise BodyTooLarge
        try:
            async with asyncio.timeout(seconds):
                whole = await self._collect(limit, budget)
        except TimeoutError:
            self.release()
            raise BodyTooSlow from None
        if not whole:
            self.release()
            await self._drain(limit)
            raise BodyTooLarge

    async def _collect(self, limit: int, budget: Budget) -> bool:
        """Read the body; False as soon as it is more than `limit` bytes."""
        digest = hashlib.sha256()
        budget.check(self.announced)
        async for chunk in self._chunks():
            if len(self.body) + len(chunk) > limit:
                return False
            self._take(len(chunk), budget)  # as they arrive: what is only announced would keep others out for nothing
            digest.update(chunk)
            self.body += chunk
        self.body_hash = digest.hexdigest()
        return True

    @property
    def announced(self) -> int:
        """The body's length as the client gives it; 0 for chunked bodies."""
        value = self.headers.get("content-length", "")
        return int(value) if value.isdecimal() else 0

    @property
    def large_body(self) -> bool:
        """Whether the body is, or without a length may be, more than a small one."""
        return self.announced > SMALL_BODY or "transfer-encoding" in self.headers

    def _take(self, amount: int, budget: Budget) -> None:
        try:
            budget.take_piece(amount, before=self._held, announced=self.announced)
        except Overloaded:
            self.release()
            raise
        self._held += amount

    def drop_body(self) -> None:
        """Free the body's memory. Its bytes stay taken from the budget, for what was made of them is still there."""
        self.body = bytearray()

    def release(self) -> None:
        """Give the body's bytes back to the budget."""
        self.drop_body()
        if self._budget is not None:
            self._budget.give(self._held)
            self._held = 0

    async def _chunks(self) -> Any:
        more, read = True, 0
        while more:
            message: Message = await self._receive()
            if message["type"] == "http.disconnect":
                raise ClientGone("hung up while sending")
            more = message.get("more_body", False)
            self._begun, self._whole = True, not more
            piece = message.get("body", b"")
            read += len(piece)
            yield piece
            if more and read > SMALL_BODY:
                for _ in range(_TURNS):
                    await asyncio.sleep(0)

    async def _drain(self, most: int) -> None:
        """Read and drop what is still coming; a client that waits for 100 Continue sends nothing."""
        if self._whole or ("expect" in self.headers and not self._begun):
            return
        dropped = 0
        try:
            async with asyncio.timeout(_DRAIN_SECONDS):
                async for chunk in self._chunks():
                    dropped += len(chunk)
                    if dropped > most:
                        return
        except TimeoutError:
            return

    async def disconnected(self) -> None:
        """Return when the client hangs up (only after the body has been read)."""
        while (await self._receive())["type"] != "http.disconnect":
            pass

    async def gone(self) -> bool:
        """Whether the client is known to have hung up by now."""
        watcher = asyncio.ensure_future(self.disconnected())
        await asyncio.sleep(0)
        try:
            return watcher.done()
        finally:
            watcher.cancel()

    async def send(self, answer: Answer, *, paid: bool = True) -> asyncio.Future[bool]:
        """Send the answer. The future says whether the client's TCP has acknowledged all of it (CONTRACT D13). Of one
        that is not `paid` for, and over a transport that is no connection, it says at once whether the client was
        still there when the last byte was handed over."""
        headers = {"content-type": answer.content_type, "content-length": str(len(answer.body)), **answer.headers}
        raw = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]
        start: Message = {"type": "http.response.start", "status": answer.status, "headers": raw}
        if not self._whole:
            return await self._send_early(start, answer.body)
        body: Message = {"type": "http.response.body", "body": answer.body, "more_body": True}
        if self._acknowledgements is None or not paid:
            return await self._send_watched(start, body)
        await self._send(start)
        await self._send(body)
        delivered = self._acknowledgements.delivered()  # now: no byte of a next answer has been handed over yet
        await self._send({"type": "http.response.body", "body": b""})
        return delivered

    async def _send_watched(self, start: Message, body: Message) -> asyncio.Future[bool]:
        gone = asyncio.ensure_future(self.disconnected())
        try:
            await self._send(start)
            await self._send(body)
            await asyncio.sleep(0)  # lets a pending hang-up reach the watcher before the exchange ends
            delivered = not gone.done()
            await self._send({"type": "http.response.body", "body": b""})
            return _known(delivered)
        finally:
            gone.cancel()

    async def _send_early(self, start: Message, body: bytes) -> asyncio.Future[bool]:
        """Answer a request that is still being sent. Closing on unread bytes would reset the connection, and the answer
        might be lost with it: what comes is dropped until the client has stopped.
        """
        await self._send(start)
        await self._send({"type": "http.response.body", "body": body, "more_body": True})
        with contextlib.suppress(ClientGone):
            await self._drain(_MOST_DROPPED)
        await self._send({"type": "http.response.body", "body": b""})
        return _known(False)  # nobody pays for an answer to half a request


def _known(delivered: bool) -> asyncio.Future[bool]:
    future: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
    future.set_result(delivered)
    return future
