"""The ASGI endpoint of the four calls: one exchange in, one answer out, observed."""

from __future__ import annotations

import logging
import re
import uuid

from starlette.types import Receive, Scope, Send

from service.accounts.directory import Network
from service.errors import ClientGone
from service.gateway.client_ip import client_ip
from service.gateway.exchange import Answer, Exchange
from service.gateway.failures import failure
from service.gateway.pipeline import Call, Pipeline
from service.gateway.timing import Stopwatch
from service.settings import Settings

log = logging.getLogger("inkgate.call")
_REQUEST_ID = re.compile(r"[\x21-\x7e]{1,128}")


class CallEndpoint:
    """Serves every path below /v1/aiop/api/, right or wrong."""

    def __init__(self, settings: Settings, pipeline: Pipeline, trusted: tuple[Network, ...]) -> None:
        self._settings, self._pipeline, self._trusted = settings, pipeline, trusted

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        peer = scope["client"][0] if scope.get("client") else ""
        exchange = Exchange(scope, receive, send, "")
        exchange.client_ip = client_ip(peer, exchange.headers.get("x-forwarded-for", ""), self._trusted)
        call = Call(exchange, _request_id(exchange), Stopwatch())
        try:
            await self._serve(call)
        finally:
            exchange.release()

    async def _serve(self, call: Call) -> None:
        try:
            answer = await self._pipeline.run(call)
        except ClientGone as error:
            self._report(call, 499, str(error))
            return
        except Exception as error:
            call.code, answer = failure(error, call.request_id, always_200=self._settings.server.always_200)
            await call.exchange.send(answer)
            self._report(call, answer.status, str(error))
            return
        await self._deliver(call, answer)

    async def _deliver(self, call: Call, answer: Answer) -> None:
        delivered = await call.exchange.send(answer)
        if delivered:
            await self._pipeline.delivered(call)
        self._report(call, answer.status, "" if delivered else "paid, not delivered whole; kept for replay")

    def _report(self, call: Call, status: int, detail: str) -> None:
        caller = call.caller
        log.info(
            "call",
            extra={
                "request_id": call.request_id,
                "call_id": call.call_id,
                "app": caller.app.app_id if caller else "",
                "capability": caller.capability.name if caller else "",
                "status": status,
                "code": call.code,
                "images": call.images,
                "units": call.units,
                "ms": call.watch.elapsed_ms(),
                "detail": detail,
            },
        )


def _request_id(exchange: Exchange) -> str:
    sent = exchange.headers.get("ctyun-eop-request-id", "")
    return sent if _REQUEST_ID.fullmatch(sent) else str(uuid.uuid4())
