"""The ASGI endpoint of the API calls: runs the pipeline, sends the answer, records metrics and the log line."""

from __future__ import annotations

import re
import uuid
from dataclasses import replace

from starlette.types import Receive, Scope, Send

from inkgate.service.accounts.directory import Network
from inkgate.service.client_ip import client_ip
from inkgate.service.errors import ClientDisconnected, WireError
from inkgate.service.gateway.exchange import Exchange
from inkgate.service.gateway.failures import error_answer, wire_error
from inkgate.service.gateway.observe import NOT_DELIVERED, report, report_forwarded
from inkgate.service.gateway.phases import Forwarded, Settled, Started
from inkgate.service.gateway.pipeline import Pipeline
from inkgate.service.gateway.progress import Progress
from inkgate.service.gateway.timing import Stopwatch
from inkgate.service.settings import Settings
from inkgate.service.telemetry import logs
from inkgate.service.telemetry.metrics import Metrics

_REQUEST_ID = re.compile(r"[\x21-\x7e]{1,128}")


class CallEndpoint:
    """Serves every path below /v1/aiop/api/, including unknown ones."""

    def __init__(self, settings: Settings, pipeline: Pipeline, metrics: Metrics, trusted: tuple[Network, ...]) -> None:
        self._always_200 = settings.server.always_200
        self._pipeline, self._metrics, self._trusted = pipeline, metrics, trusted

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        exchange = Exchange(scope, receive, send)
        peer = scope["client"][0] if scope.get("client") else ""
        exchange.peer = peer
        exchange.client_ip = client_ip(peer, exchange.headers.get("x-forwarded-for", ""), self._trusted)
        progress = Progress(Started(exchange, _request_id(exchange), Stopwatch()))
        tracing, parent = self._pipeline.tracing, exchange.headers.get("traceparent", "")
        with (
            logs.log_fields(request_id=progress.started.request_id),
            tracing.span("call", parent=parent, path=scope["path"]),
        ):
            try:
                await self._serve(progress)
            finally:
                exchange.release()
                self._metrics.inflight(self._pipeline.bytes_in_flight.used)
                self._pipeline.release_memory(progress.record().body_bytes)

    async def _serve(self, progress: Progress) -> None:
        try:
            finished = await self._pipeline.run(progress)
        except ClientDisconnected as error:
            report(self._metrics, progress.record(), error.http_status, error)
            return
        except Exception as error:
            await self._fail(progress, wire_error(error))
            return
        if isinstance(finished, Forwarded):
            await self._return_forwarded(progress, finished)
        else:
            await self._track_delivery(progress, finished)

    async def _fail(self, progress: Progress, error: WireError) -> None:
        started = progress.started
        code, answer = error_answer(error, started.request_id, always_200=self._always_200)
        record = replace(progress.record(), code=code)
        self._pipeline.count_refusal(record, error)
        await started.exchange.send(answer, is_charged=False)
        report(self._metrics, record, answer.status, error)

    async def _return_forwarded(self, progress: Progress, forwarded: Forwarded) -> None:
        answer = forwarded.answer
        delivered = await progress.started.exchange.send_as_is(answer.status, list(answer.headers), answer.body)
        report_forwarded(progress.record(), forwarded, delivered=delivered)
        self._pipeline.read_shadow(forwarded)

    async def _track_delivery(self, progress: Progress, settled: Settled) -> None:
        answer = settled.answer
        delivered = await progress.started.exchange.send(answer)
        undelivered = delivered.done() and not delivered.result()
        report(self._metrics, progress.record(), answer.status, reason=NOT_DELIVERED if undelivered else "")
        await self._pipeline.track_delivery(settled, delivered)


def _request_id(exchange: Exchange) -> str:
    sent = exchange.headers.get("ctyun-eop-request-id", "")
    return sent if _REQUEST_ID.fullmatch(sent) else str(uuid.uuid4())
