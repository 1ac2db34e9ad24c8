"""Live workers and queue of the operator."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import quote

from fastapi import APIRouter
from starlette.responses import Response

from inkgate.service.broker.worker_registry import READY, WorkerRegistry, WorkerRegistryState
from inkgate.service.console.page_request import Operator, PageRequest
from inkgate.service.console.paging import Paging
from inkgate.service.console.render import render
from inkgate.service.errors import BrokerUnavailable

router = APIRouter()
PER_PAGE = 50
QUEUE_AGE_WARNING_SECONDS = 10.0  # age of the oldest waiting image from which the screen warns


@dataclass(frozen=True, slots=True)
class Workers:
    """Queue and workers. `state` is None if it is unavailable; `known` is False if this process cannot observe them."""

    known: bool
    state: WorkerRegistryState | None

    @property
    def ready(self) -> int:
        return sum(card.state == READY for card in self.state.workers) if self.state else 0

    @property
    def per_second(self) -> float:
        return sum(card.per_second for card in self.state.workers) if self.state else 0.0

    @property
    def is_healthy(self) -> bool:
        """At least one worker is ready and the queue is not old."""
        return self.state is not None and self.ready > 0 and self.state.queue.oldest_age < QUEUE_AGE_WARNING_SECONDS


async def workers_view(fleet: WorkerRegistry | None) -> Workers:
    """The current state of queue and workers."""
    if fleet is None:
        return Workers(False, None)
    try:
        return Workers(True, await fleet.snapshot())
    except BrokerUnavailable:
        return Workers(True, None)


def moment(seconds: float) -> datetime:
    """Unix time as an instant for the templates."""
    return datetime.fromtimestamp(seconds, UTC)


@router.get("/operator/workers")
async def workers_page(page_request: Operator, page: int = 1) -> Response:
    if page_request.parts.settings.console.wall_key is not None:
        await page_request.record_look("secret.view", "wall key")  # in the link to the status screen
    model = await workers_view(page_request.parts.fleet)
    return render(
        page_request,
        "operator_workers.html",
        model=model,
        page=Paging.of(page, PER_PAGE).page_of_all(model.state.workers if model.state else ()),
        moment=moment,
        wall=_wall_link(page_request),
    )


def _wall_link(page_request: PageRequest) -> str:
    """The status screen with its key in the fragment, which browsers never send; "" without a key."""
    held = page_request.parts.settings.console.wall_key
    return f"/wall#{quote(held.get_secret_value(), safe='')}" if held else ""
