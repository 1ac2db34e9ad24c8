"""Signed clients that know the text of every image they send, and repeat the very same request when it fails."""

from __future__ import annotations

import asyncio
import base64
import json
import math
import random
import time
import uuid
from typing import Any

import httpx

from inkgate.service.attest.chaos.verdict import Attempt, Call
from inkgate.service.contract.capabilities import CAPABILITIES
from inkgate.service.eop.signing import call_headers
from inkgate.service.provision import Keys
from inkgate.service.worker.stub import stub_text
from tests.http_client import local_client
from tests.images import padded_png
from tests.tcp_reset import Client

PATIENCE = 40.0  # seconds for which a client repeats a failed request
_PAUSE = 0.5
_TORN = 50  # images of a call whose answer is to be larger than the buffers of a client with small ones


class Clients:
    """Open-loop traffic at `rate` calls per second, a mix of all capabilities and of batches."""

    def __init__(self, base_url: str, keys: Keys, rate: float) -> None:
        self._url, self._keys, self._rate = base_url, keys, rate
        self._random = random.Random(6)
        self._zero = time.monotonic()
        self._ended = False
        self.calls: list[Call] = []

    def now(self) -> float:
        return time.monotonic() - self._zero

    def end(self) -> None:
        """Let `run` send no more."""
        self._ended = True

    async def run(self, end: float = math.inf) -> None:
        """Send until the run's clock reads `end` seconds or `end()` is called. Returns when every client has its answer
        or has given up."""
        limits = httpx.Limits(max_keepalive_connections=0)  # every call opens a new connection through the proxy
        async with local_client(limits=limits, timeout=20.0) as http, asyncio.TaskGroup() as group:
            due = self.now()
            while due < end and not self._ended:
                await asyncio.sleep(max(0.0, due - self.now()))
                group.create_task(self._client(http, self._make()))
                due += self._random.expovariate(self._rate)

    async def again(self) -> None:
        """Once more for every call that is still without an answer."""
        async with local_client(timeout=20.0) as http:
            for call in self.calls:
                if not call.delivered:
                    await self._try(http, call, self._request(call))

    async def torn(self, port: int, count: int) -> list[str]:
        """So many calls at once to the gateway on `port`, each reset after 1,000 bytes of its answer and then repeated
        as any other call is. The request ids of those whose answer our kernel had acknowledged whole all the same."""
        calls = [Call("general", [unique_image() for _ in range(_TORN)], str(uuid.uuid4())) for _ in range(count)]
        self.calls += calls
        async with local_client(timeout=20.0) as http:
            whole = await asyncio.gather(*(self._tear(port, call) for call in calls))
            await asyncio.gather(*(self._client(http, call) for call in calls))
        return [call.request_id for call, had in zip(calls, whole, strict=True) if had]

    async def _tear(self, port: int, call: Call) -> bool:
        """Whether the answer had come whole when the connection was reset."""
        begun, request, client = self.now(), self._request(call), Client(port)
        lines = b"".join(b"%s: %s\r\n" % pair for pair in request.headers.raw)
        try:
            await client.send(b"POST %s HTTP/1.1\r\n%s\r\n%s" % (request.url.raw_path, lines, request.content))
            taken = await client.take(1000)
            return taken.acknowledged == taken.whole
        except (OSError, TimeoutError):  # another fault's doing
            return False
        finally:
            client.reset()
            call.attempts.append(Attempt(begun, self.now(), "error", "reset in mid-answer"))

    def _make(self) -> Call:
        capability = self._random.choice(["general", "general", "idcard", "plate", "licence"])
        count = 1 if capability == "licence" else self._random.choice([1, 1, 1, 2, 5])
        call = Call(capability, [unique_image() for _ in range(count)], str(uuid.uuid4()))
        self.calls.append(call)
        return call

    async def _client(self, http: httpx.AsyncClient, call: Call) -> None:
        request = self._request(call)
        give_up = self.now() + PATIENCE
        while not call.delivered and self.now() < give_up:
            await self._try(http, call, request)
            if not call.delivered:
                await asyncio.sleep(_PAUSE)

    async def _try(self, http: httpx.AsyncClient, call: Call, request: httpx.Request) -> None:
        begun = self.now()
        try:
            answer = await http.send(request)
            result, detail = _judge(call, answer)
        except httpx.HTTPError as error:
            result, detail = "error", type(error).__name__
        call.attempts.append(Attempt(begun, self.now(), result, detail))
        call.delivered = result in ("ok", "wrong", "partial")

    def _request(self, call: Call) -> httpx.Request:
        texts = [base64.b64encode(image).decode() for image in call.images]
        body: dict[str, Any] = {"data": texts}
        if call.capability == "licence":
            body = {"Action": "BusinessCardOCR", "ImageData": texts[0]}
        raw = json.dumps(body).encode()
        path = CAPABILITIES[call.capability].paths[0]
        headers = call_headers(self._keys.ak, self._keys.sk.encode(), self._keys.appkey, raw, call.request_id)
        headers["Connection"] = "close"
        return httpx.Request("POST", self._url + path, headers=headers, content=raw)


def _judge(call: Call, answer: httpx.Response) -> tuple[str, str]:
    body = answer.json()
    if answer.status_code in (429, 503):
        return "refused", str(body["statusCode"])
    if answer.status_code != 200 or body["statusCode"] != 0:
        return "error", f"{answer.status_code} {body['statusCode']}"
    elements = [body["returnObj"]] if call.capability == "licence" else body["returnObj"]
    expected = [stub_text(image) for image in call.images]
    texts = [_text(call.capability, element) for element in elements]
    call.read = sum(text is not None for text in texts)
    if len(texts) != len(expected) or any(t not in (None, e) for t, e in zip(texts, expected, strict=False)):
        return "wrong", f"{texts} instead of {expected}"
    return ("ok", "") if None not in texts else ("partial", f"{texts.count(None)} of {len(texts)} images failed")


def _text(capability: str, element: dict[str, Any]) -> str | None:
    """The text that the stub put into an element; None for a failed one."""
    if "err_code" in element:
        return None
    detail = element["detail"]
    match capability:
        case "general":
            found = detail[0]["text"]
        case "plate":
            found = detail[0]["platelicense"]
        case _:
            found = detail["name"]
    return str(found)


def unique_image() -> bytes:
    """An image that no other call sends, a few KiB long."""
    return padded_png(random.randint(240, 6_600), uuid.uuid4().hex.encode())
