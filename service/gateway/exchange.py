"""One HTTP exchange over raw ASGI: headers as sent, body under a budget, delivery tracking."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
from collections.abc import Coroutine, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from starlette.types import Message, Receive, Scope, Send

from inkgate.service.contract.headers import Surface, merge_repeats, refused_repeats
from inkgate.service.errors import BodyTooLarge, BodyTooSlow, ClientDisconnected, Overloaded
from inkgate.service.gateway.budget import Budget
from inkgate.service.gateway.connection import EXTENSION, Connection
from inkgate.service.gateway.raw_head import RawHead, raw_head
from inkgate.service.gateway.request_line import RAW_QUERY

V = TypeVar("V")

SMALL_BODY_BYTES = 32 * 1024  # bytes
_LOOP_TURNS_PER_PIECE = 4  # event loop iterations yielded to other tasks per piece of a large body
_MAX_DISCARDED_BYTES = 1 << 30  # bytes
_DRAIN_SECONDS = 20  # how long a refused upload is read and discarded, so that the client receives the answer


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP response: status, body, content type and further headers."""

    status: int
    body: bytes
    content_type: str = "application/json; charset=utf-8"
    headers: Mapping[str, str] = field(default_factory=dict)


class Exchange:
    """Reads the request of one ASGI scope and sends one answer.

    Headers and query are decoded as latin-1, so that their code points are the bytes received, over which the signature
    is computed.
    """

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._scope, self._receive, self._send = scope, receive, send
        extensions = scope.get("extensions", {})
        self._connection: Connection | None = extensions.get(EXTENSION)  # None under another server
        self.method: str = scope["method"]
        self.path: str = scope["path"]
        self.query: str = extensions.get(RAW_QUERY, scope["query_string"]).decode("latin-1")  # as sent
        self.client_ip = self.peer = ""  # the client's address, and that of the connection: a proxy's or the same
        raw = scope["headers"]
        self.headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in merge_repeats(raw)}
        self.repeated = refused_repeats(raw, Surface.CALLS)
        for name in self.repeated:
            del self.headers[name]  # ambiguous: no value is used
        self.body = bytearray()
        self.body_hash = hashlib.sha256(b"").hexdigest()
        self._acquired = 0
        self._budget: Budget | None = None
        self._body_started = self._body_complete = False

    async def read_body(self, limit: int, seconds: float, budget: Budget) -> None:
        """Fill `body` and `body_hash` (sha256 hex of the bytes as received).

        Raises BodyTooLarge above `limit` bytes, Overloaded when `budget` is used up, BodyTooSlow when the body is not
        complete after `seconds`, ClientDisconnected when the client disconnects. Bytes acquired from the budget stay
        acquired until `release`; a body refused half way releases its bytes at once, so that one of several concurrent
        bodies can complete.
        """
        self._budget = budget
        if self.announced > limit:
            await self._discard_rest(2 * limit)
            raise BodyTooLarge
        try:
            async with asyncio.timeout(seconds):
                whole = await self._collect(limit, budget)
        except TimeoutError:
            self.release()
            raise BodyTooSlow from None
        if not whole:
            self.release()
            await self._discard_rest(limit)
            raise BodyTooLarge

    async def _collect(self, limit: int, budget: Budget) -> bool:
        """Read the body; False as soon as it exceeds `limit` bytes."""
        digest = hashlib.sha256()
        budget.check(self.announced)
        async for chunk in self._chunks():
            if len(self.body) + len(chunk) > limit:
                return False
            # Bytes are acquired as they arrive: an announced length alone must not block other requests.
            self._acquire_budget(len(chunk), budget)
            digest.update(chunk)
            self.body += chunk
        self.body_hash = digest.hexdigest()
        return True

    @property
    def announced(self) -> int:
        """The body's Content-Length in bytes; 0 for chunked bodies."""
        value = self.headers.get("content-length", "")
        return int(value) if value.isdecimal() else 0

    @property
    def large_body(self) -> bool:
        """Whether the body is, or without a length may be, larger than SMALL_BODY_BYTES."""
        return self.announced > SMALL_BODY_BYTES or "transfer-encoding" in self.headers

    def _acquire_budget(self, amount: int, budget: Budget) -> None:
        try:
            budget.acquire_piece(amount, before=self._acquired, announced=self.announced)
        except Overloaded:
            self.release()
            raise
        self._acquired += amount

    def drop_body(self) -> None:
        """Free the body's memory. Its bytes stay acquired, since the decoded images still take memory."""
        self.body = bytearray()

    def release(self) -> None:
        """Free the body and return its bytes to the budget."""
        self.drop_body()
        if self._budget is not None:
            self._budget.release(self._acquired)
            self._acquired = 0

    async def _chunks(self) -> Any:
        more, read = True, 0
        while more:
            message: Message = await self._receive()
            if message["type"] == "http.disconnect":
                raise ClientDisconnected("disconnected while sending")
            more = message.get("more_body", False)
            self._body_started, self._body_complete = True, not more
            piece = message.get("body", b"")
            read += len(piece)
            yield piece
            if more and read > SMALL_BODY_BYTES:
                for _ in range(_LOOP_TURNS_PER_PIECE):
                    await asyncio.sleep(0)

    async def _discard_rest(self, max_bytes: int) -> None:
        """Read and discard the rest of the body; a client that waits for 100 Continue sends none."""
        if self._body_complete or ("expect" in self.headers and not self._body_started):
            return
        discarded = 0
        try:
            async with asyncio.timeout(_DRAIN_SECONDS):
                async for chunk in self._chunks():
                    discarded += len(chunk)
                    if discarded > max_bytes:
                        return
        except TimeoutError:
            return

    @property
    def head(self) -> RawHead:
        """The request's head as it was received, for sending the call on."""
        return raw_head(self._scope)

    def detached(self, body: bytearray) -> Exchange:
        """The same request with `body`, independent of the connection, for reading it after its answer was sent."""
        copy = Exchange(self._scope, _disconnected, _no_answer)
        copy._connection = None
        copy.client_ip, copy.peer, copy.body, copy.body_hash = self.client_ip, self.peer, body, self.body_hash
        return copy

    def take_body(self) -> bytearray:
        """The body; the exchange has none afterwards."""
        body, self.body = self.body, bytearray()
        return body

    async def wait_for_disconnect(self) -> None:
        """Return when the client disconnects. To be called only after the body has been read."""
        while (await self._receive())["type"] != "http.disconnect":
            pass

    async def await_or_disconnect(self, work: Coroutine[Any, Any, V], doing: str) -> V:
        """The result of `work`, which is cancelled when the client disconnects first. Raises ClientDisconnected."""
        if self._connection is not None:
            return await _await_or_lost(self._connection, work, f"disconnected while {doing}")
        task = asyncio.ensure_future(work)
        gone = asyncio.ensure_future(self.wait_for_disconnect())
        try:
            await asyncio.wait({task, gone}, return_when=asyncio.FIRST_COMPLETED)
            if task.done():
                return task.result()
            raise ClientDisconnected(f"disconnected while {doing}")
        finally:
            gone.cancel()
            if not task.done():
                task.cancel()

    async def has_disconnected(self) -> bool:
        """Whether the client is known to have disconnected."""
        if self._connection is not None:
            return self._connection.lost
        watcher = asyncio.ensure_future(self.wait_for_disconnect())
        await asyncio.sleep(0)
        try:
            return watcher.done()
        finally:
            watcher.cancel()

    async def send(self, answer: Answer, *, is_charged: bool = True) -> asyncio.Future[bool]:
        """Send the answer. The future resolves to whether the client's TCP acknowledged all of it (CONTRACT D13).

        If the call is not charged, or the transport cannot track acknowledgements, the future is done at once: whether
        the client was still connected when the last byte was written.
        """
        headers = {"content-type": answer.content_type, "content-length": str(len(answer.body)), **answer.headers}
        raw = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]
        start: Message = {"type": "http.response.start", "status": answer.status, "headers": raw}
        if not self._body_complete:
            return await self._send_before_body_read(start, answer.body)
        body: Message = {"type": "http.response.body", "body": answer.body, "more_body": True}
        if self._connection is None or not is_charged:
            return await self._send_watching_disconnect(start, body)
        with self._connection.transport.one_write():
            await self._send(start)
            await self._send(body)
        delivered = self._connection.acknowledgements.delivered()  # before any byte of the next answer is written
        await self._send({"type": "http.response.body", "body": b""})
        return delivered

    async def send_as_is(self, status: int, headers: list[tuple[bytes, bytes]], body: bytes) -> bool:
        """Send an answer with exactly these headers; True if the client was still connected at its last byte."""
        self.head.omit_default_headers()
        start: Message = {"type": "http.response.start", "status": status, "headers": headers}
        delivered = await self._send_watching_disconnect(
            start, {"type": "http.response.body", "body": body, "more_body": True}
        )
        return delivered.result()

    async def _send_watching_disconnect(self, start: Message, body: Message) -> asyncio.Future[bool]:
        gone = asyncio.ensure_future(self.wait_for_disconnect())
        try:
            await self._send(start)
            await self._send(body)
            await asyncio.sleep(0)  # let a pending disconnect reach the watcher before the exchange ends
            delivered = not gone.done()
            await self._send({"type": "http.response.body", "body": b""})
            return _completed(delivered)
        finally:
            gone.cancel()

    async def _send_before_body_read(self, start: Message, body: bytes) -> asyncio.Future[bool]:
        """Answer a request whose body is still being sent, then discard the rest of the body. Closing a socket with
        unread bytes would reset the connection, and the answer could be lost.
        """
        await self._send(start)
        await self._send({"type": "http.response.body", "body": body, "more_body": True})
        with contextlib.suppress(ClientDisconnected):
            await self._discard_rest(_MAX_DISCARDED_BYTES)
        await self._send({"type": "http.response.body", "body": b""})
        return _completed(False)  # an answer to an incomplete request is never charged


async def _await_or_lost(connection: Connection, work: Coroutine[Any, Any, V], message: str) -> V:
    """`Exchange.await_or_disconnect` without a task: the end of the connection cancels this one, as a timeout does."""
    if connection.lost:
        work.close()
        raise ClientDisconnected(message)
    task, lost = asyncio.current_task(), False
    assert task is not None
    cancelling = task.cancelling()

    def cancel() -> None:
        nonlocal lost
        lost = True
        task.cancel()

    connection.on_lost = cancel
    try:
        result = await work
    except asyncio.CancelledError:
        if lost and task.uncancel() <= cancelling:
            raise ClientDisconnected(message) from None
        raise
    finally:
        connection.on_lost = None
    if lost:
        task.uncancel()
        raise ClientDisconnected(message)
    return result


def _completed(delivered: bool) -> asyncio.Future[bool]:
    future: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
    future.set_result(delivered)
    return future


async def _disconnected() -> Message:
    return {"type": "http.disconnect"}


async def _no_answer(_message: Message) -> None:
    raise RuntimeError("a detached exchange has no client")
