"""The public classes: `Client` is synchronous, `AsyncClient` is asynchronous; both use the same exchanges."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from types import TracebackType
from typing import TypeVar

import httpx

from inkgate_client._exchange import Calls, Credentials, Exchange, Image, Wait
from inkgate_client._results import Failure, IdCard, Licence, Page, Plate
from inkgate_client._retry import Retry
from inkgate_client._sealing import Sealer

Result = TypeVar("Result")
Images = TypeVar("Images")


def _calls(ak: str, sk: str, appkey: str, enckey: str | None, retry: Retry, extras: bool) -> Calls:
    return Calls(Credentials(ak, sk, appkey, Sealer(enckey) if enckey else None), retry, extras)


class Client:
    """A synchronous client. It is thread-safe; close it, or use it as a context manager.

    `enckey` encrypts every body (needs the extra `sealed`). `timeout` is in seconds and applies to each attempt. `http`
    replaces the httpx client, for proxies, certificates or tests. `extras` requests InkGate's contract additions.
    Methods raise the errors of `InkGateClientError`, OSError for an unreadable file, and ValueError for a wrong number
    of images.
    """

    def __init__(
        self,
        base_url: str,
        *,
        ak: str,
        sk: str,
        appkey: str,
        enckey: str | None = None,
        timeout: float = 75.0,
        retry: Retry | None = None,
        extras: bool = False,
        http: httpx.Client | None = None,
    ) -> None:
        self._calls = _calls(ak, sk, appkey, enckey, retry or Retry(), extras)
        self._base = base_url.rstrip("/")
        self._http = http or httpx.Client(timeout=timeout)

    def general(self, *images: Image) -> list[Page | Failure]:
        """Text lines of 1 to 50 images (manual 6.3.1)."""
        return self._run(self._calls.general(images))

    def idcard(self, *images: Image) -> list[IdCard | Failure]:
        """Fields of 1 to 50 images of ID cards (manual 6.3.2)."""
        return self._run(self._calls.idcard(images))

    def plate(self, *images: Image) -> list[tuple[Plate, ...] | Failure]:
        """Number plates in 1 to 50 images (manual 6.3.3)."""
        return self._run(self._calls.plate(images))

    def licence(self, picture: Image) -> Licence:
        """Fields of one business licence (manual 6.3.4)."""
        return self._run(self._calls.licence(picture))

    def close(self) -> None:
        self._http.close()

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _run(self, exchange: Exchange[Result]) -> Result:
        while True:
            try:
                response = self._http.post(
                    self._base + exchange.path, headers=exchange.headers(), content=exchange.body
                )
            except httpx.TransportError as error:
                outcome: Result | Wait = exchange.lost(error)
            else:
                outcome = exchange.answered(response.status_code, response.headers, response.content)
            if not isinstance(outcome, Wait):
                return outcome
            time.sleep(outcome)


class AsyncClient:
    """The asynchronous client; parameters, results and errors are those of `Client`."""

    def __init__(
        self,
        base_url: str,
        *,
        ak: str,
        sk: str,
        appkey: str,
        enckey: str | None = None,
        timeout: float = 75.0,
        retry: Retry | None = None,
        extras: bool = False,
        http: httpx.AsyncClient | None = None,
    ) -> None:
        self._calls = _calls(ak, sk, appkey, enckey, retry or Retry(), extras)
        self._base = base_url.rstrip("/")
        self._http = http or httpx.AsyncClient(timeout=timeout)

    async def general(self, *images: Image) -> list[Page | Failure]:
        """Text lines of 1 to 50 images (manual 6.3.1)."""
        return await self._run(self._calls.general, images)

    async def idcard(self, *images: Image) -> list[IdCard | Failure]:
        """Fields of 1 to 50 images of ID cards (manual 6.3.2)."""
        return await self._run(self._calls.idcard, images)

    async def plate(self, *images: Image) -> list[tuple[Plate, ...] | Failure]:
        """Number plates in 1 to 50 images (manual 6.3.3)."""
        return await self._run(self._calls.plate, images)

    async def licence(self, picture: Image) -> Licence:
        """Fields of one business licence (manual 6.3.4)."""
        return await self._run(self._calls.licence, picture)

    async def aclose(self) -> None:
        await self._http.aclose()

    async def __aenter__(self) -> AsyncClient:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def _run(self, make: Callable[[Images], Exchange[Result]], images: Images) -> Result:
        exchange = await asyncio.to_thread(make, images)  # file access, Base64 and encryption block
        while True:
            try:
                response = await self._http.post(
                    self._base + exchange.path, headers=exchange.headers(), content=exchange.body
                )
            except httpx.TransportError as error:
                outcome: Result | Wait = exchange.lost(error)
            else:
                outcome = exchange.answered(response.status_code, response.headers, response.content)
            if not isinstance(outcome, Wait):
                return outcome
            await asyncio.sleep(outcome)
