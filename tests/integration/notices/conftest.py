"""A customer with notices: evaluator, sender and channels over both databases."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from inkgate.service.db import work
from inkgate.service.notices import channels, repository
from inkgate.service.notices.conditions import Check
from inkgate.service.notices.delivery import Sender
from inkgate.service.notices.evaluation import Evaluator
from inkgate.service.notices.kinds import ChannelKind, Kind
from inkgate.service.notices.models import ChannelRow, NoticeRow
from inkgate.service.settings import Notices
from tests.ledger_data import CustomerData
from tests.tls.authority import Authority

LOOPBACK = {"networks": ("127.0.0.0/8",), "plain_http": True, "customer_hosts": ("127.0.0.1",), "timeout": 5.0}


@dataclass(slots=True)
class NoticeStage:
    """`checks` may be changed between rounds; `outcomes` are what metrics would count."""

    customer: CustomerData
    settings: Notices
    checks: dict[Kind, Check] = field(default_factory=dict)
    outcomes: list[tuple[str, str, str]] = field(default_factory=list)

    async def round(self) -> int | None:
        """One evaluation, a minute after the last."""
        self.customer.clock.advance(minutes=1)
        return await self.evaluator().run_round()

    def evaluator(self) -> Evaluator:
        return Evaluator(self.customer.engine, self.settings, self.checks, clock=self.customer.clock)

    def sender(self) -> Sender:
        def observe(kind: str, channel: str, outcome: str) -> None:
            self.outcomes.append((kind, channel, outcome))

        customer = self.customer
        return Sender(customer.engine, customer.vault, self.settings, observe, pace=0.0, clock=customer.clock)

    async def deliver(self, times: int = 20) -> int:
        """Send until nothing is due; the number of attempts."""
        tried, sender = 0, self.sender()
        for _ in range(times):
            now = await sender.run_once()
            if not now:
                break
            tried += now
        return tried

    async def channel(self, kind: ChannelKind, *, own: bool = False, **given: Any) -> ChannelRow:
        """A channel of the operators, or of the customer's account."""
        new = channels.NewChannel(kind, given.pop("name", kind.value), **given)
        owner = self.customer.account_id if own else None
        async with work.unit_of_work(self.customer.engine, "test", self.customer.clock) as unit:
            return (await channels.create(unit, self.customer.vault, self.settings, owner, new)).row

    async def outbox(self) -> list[NoticeRow]:
        """All notices, oldest first."""
        async with work.read_session(self.customer.engine) as session:
            return (await repository.notices(session, None, everything=True, limit=1000))[::-1]


@pytest.fixture
def make_stage(customer: CustomerData) -> Callable[..., NoticeStage]:
    def make(**settings: Any) -> NoticeStage:
        return NoticeStage(customer, Notices(**{**LOOPBACK, **settings}))

    return make


@pytest.fixture
def stage(make_stage: Callable[..., NoticeStage]) -> NoticeStage:
    return make_stage()


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path, "root")
