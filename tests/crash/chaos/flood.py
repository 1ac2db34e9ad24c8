"""One app that sends far more than the fleet can read: ten requests of fifty images a second."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
from collections import Counter

import httpx

from inkgate.service.contract.capabilities import GENERAL
from inkgate.service.eop.signing import call_headers
from inkgate.service.provision import Keys
from tests.http_client import local_client
from tests.images import padded_png

_EVERY = 0.1  # seconds between two requests
_IMAGES = 50


class Flood:
    """Sends from `start` to `stop`, in the name of the second app; `answered` counts what came back."""

    def __init__(self, base_url: str, keys: Keys) -> None:
        self._url, self._keys = base_url + GENERAL.paths[0], keys
        self._task: asyncio.Task[None] | None = None
        self.answered: Counter[str] = Counter()

    async def start(self) -> None:
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """Send no more and hang up on what is unanswered."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self) -> None:
        raw = json.dumps({"data": [base64.b64encode(padded_png(300, b"flood")).decode()] * _IMAGES}).encode()
        limits = httpx.Limits(max_connections=200, max_keepalive_connections=0)
        async with local_client(limits=limits, timeout=20.0) as http, asyncio.TaskGroup() as group:
            while True:
                group.create_task(self._send(http, raw))
                await asyncio.sleep(_EVERY)

    async def _send(self, http: httpx.AsyncClient, raw: bytes) -> None:
        keys = self._keys
        headers = call_headers(keys.ak, keys.sk.encode(), keys.second, raw)
        with contextlib.suppress(httpx.HTTPError):
            self.answered[str((await http.post(self._url, content=raw, headers=headers)).status_code)] += 1
