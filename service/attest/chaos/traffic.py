"""Signed clients that repeat the very same request until it is answered, and know what its answer must hold."""

from __future__ import annotations

import asyncio
import base64
import itertools
import json
import time
import uuid
from collections import Counter
from collections.abc import Iterator
from typing import Any

import httpx

from inkgate.service.attest.chaos.verdict import Attempt, Call
from inkgate.service.attest.contract_cases import Keys
from inkgate.service.contract.capabilities import CAPABILITIES
from inkgate.service.eop.signing import call_headers

CLIENTS = 3  # requests in flight
MAX_CALLS = 2000
BATCHES = (1, 2)  # images per call of a capability that takes several, in turn
PAUSE_SECONDS = 0.5  # between two attempts of a call
ANSWER_SECONDS = 90.0  # per attempt; longer than the deadline of the service, so that it is the one to give up
MAX_ANSWER = 4 * 1024 * 1024  # bytes

Texts = tuple[tuple[str, str], ...]


class Unreadable(Exception):
    """The undisturbed service does not read a sample."""


class Traffic:
    """Calls of all capabilities in turn. Every answer must have the texts of the first one, which nothing disturbed."""

    def __init__(self, base_url: str, keys: Keys) -> None:
        self._url, self._keys = base_url, keys
        self._zero = time.monotonic()
        self._expected: dict[str, Texts] = {}
        self._numbers = itertools.count()
        self._ended = False
        self.calls: list[Call] = []
        self.answers: Counter[str] = Counter()

    def now(self) -> float:
        """Seconds since the beginning."""
        return time.monotonic() - self._zero

    def end(self) -> None:
        """Begin no more calls; those in work go on until they are answered."""
        self._ended = True

    def answered_since(self, moment: float) -> bool:
        """Whether a request that was sent after `moment` has been answered."""
        last = [call.attempts[-1] for call in self.calls if call.delivered]
        return any(each.begun > moment for each in last)

    async def until_calls(self, count: int, latest: float) -> None:
        """Wait until so many calls have begun, or the clock reads `latest` seconds."""
        while len(self.calls) < count and self.now() < latest:  # noqa: ASYNC110 - a rare poll is simpler
            await asyncio.sleep(PAUSE_SECONDS)

    async def prepare(self) -> None:
        """One call of each capability; its answer is what later ones must equal. Raises Unreadable."""
        async with self._client() as http:
            for name in CAPABILITIES:
                call = self._make(name, 1)
                attempt = await self._try(http, call)
                if not call.delivered or attempt.result != "ok":
                    raise Unreadable(f"{name}: {attempt.result} {attempt.detail}"[:200])

    async def run(self, patience: float) -> None:
        """Send until `end`. Returns when every call is answered, or was not within `patience` seconds of its first
        attempt."""
        async with self._client() as http, asyncio.TaskGroup() as group:
            for _ in range(CLIENTS):
                group.create_task(self._one_client(http, patience))

    async def _one_client(self, http: httpx.AsyncClient, patience: float) -> None:
        while not self._ended and len(self.calls) < MAX_CALLS:
            number = next(self._numbers)
            name = list(CAPABILITIES)[number % len(CAPABILITIES)]
            call = self._make(
                name, 1 if CAPABILITIES[name].single else BATCHES[number // len(CAPABILITIES) % len(BATCHES)]
            )
            give_up = self.now() + patience
            while not call.delivered and self.now() < give_up:
                await self._try(http, call)
                if not call.delivered:
                    await asyncio.sleep(PAUSE_SECONDS)

    def _client(self) -> httpx.AsyncClient:
        limits = httpx.Limits(max_keepalive_connections=0)
        return httpx.AsyncClient(base_url=self._url, timeout=ANSWER_SECONDS, trust_env=False, limits=limits)

    def _make(self, name: str, count: int) -> Call:
        call = Call(name, [CAPABILITIES[name].sample.read_bytes()] * count, str(uuid.uuid4()))
        self.calls.append(call)
        return call

    async def _try(self, http: httpx.AsyncClient, call: Call) -> Attempt:
        begun = self.now()
        rule = CAPABILITIES[call.capability]
        body = json.dumps(rule.request([base64.b64encode(image).decode() for image in call.images])).encode()
        headers = call_headers(self._keys.ak, self._keys.sk.encode(), self._keys.appkey, body, call.request_id)
        try:
            response = await http.post(rule.paths[0], content=body, headers=headers)
            if len(response.content) > MAX_ANSWER:
                raise ValueError(f"the answer is larger than {MAX_ANSWER:,} bytes")
            result, detail = self._judge(call, response.status_code, response.json())
        except (httpx.HTTPError, ValueError) as error:
            result, detail = "error", type(error).__name__
        attempt = Attempt(begun, self.now(), result, detail)
        call.attempts.append(attempt)
        if result in ("ok", "wrong", "partial"):
            call.delivered = True
            self.answers[call.request_id] += 1
        return attempt

    def _judge(self, call: Call, status: int, answer: Any) -> tuple[str, str]:
        code = answer.get("statusCode") if isinstance(answer, dict) else None
        if status in (429, 503):
            return "refused", str(code)
        if status != 200 or code != 0:
            return "error", f"{status} {code}"
        rule, found = CAPABILITIES[call.capability], answer.get("returnObj")
        elements = [found] if rule.single else found
        if not isinstance(elements, list) or len(elements) != len(call.images):
            return "wrong", "another number of elements than images"
        good = [each for each in elements if isinstance(each, dict) and "err_code" not in each]
        call.read = len(good)
        if good:
            expected = self._expected.setdefault(call.capability, texts(good[0]))
            for each in good:
                if texts(each) != expected:
                    return "wrong", f"{call.capability}: {_difference(texts(each), expected)}"
        failed = len(elements) - len(good)
        return ("partial", f"{failed} of {len(elements)} images failed") if failed else ("ok", "")


def texts(value: Any, path: str = "") -> Texts:
    """The texts of an element without their blanks, each with its place. Numbers and blanks are left out: they may
    differ from one reading of an image to the next, since lines are read in batches of other sizes."""
    return tuple(_texts(value, path))


def _texts(value: Any, path: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, str):
        yield path, "".join(value.split())
    elif isinstance(value, dict):
        for name, each in value.items():
            yield from _texts(each, f"{path}.{name}")
    elif isinstance(value, list):
        for number, each in enumerate(value):
            yield from _texts(each, f"{path}[{number}]")


def _difference(found: Texts, expected: Texts) -> str:
    """The first text that is not what it was; the images are the samples of the product, so it may be shown."""
    for (place, text), (_, wanted) in zip(found, expected, strict=False):
        if text != wanted:
            return f"{place} is {text!r} instead of {wanted!r}"[:200]
    return f"{len(found)} texts instead of {len(expected)}"
