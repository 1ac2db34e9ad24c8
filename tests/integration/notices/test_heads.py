"""Notices of the ends of the ledger's chains: a rewritten ledger, and heads that do not fit into a round."""

from __future__ import annotations

import pytest

from inkgate.service.metering import anchors
from inkgate.service.notices import texts
from inkgate.service.notices.kinds import ChannelKind, Kind
from tests.integration.metering.test_anchors import anchored, funded, rewrite, settled
from tests.integration.notices.conftest import NoticeStage

HOOK = {"url": "http://127.0.0.1:9/", "secret": "s" * 16, "kinds": ("heads_failed", "heads_waiting")}


async def test_a_rewritten_ledger_is_announced_to_operators(stage: NoticeStage) -> None:
    customer = stage.customer
    await stage.channel(ChannelKind.WEBHOOK, **HOOK)
    await funded(customer)
    await settled(customer)
    await anchored(customer)
    assert await stage.round() == 0
    await rewrite(customer, 2)
    await settled(customer)
    await anchored(customer)
    assert await stage.round() == 1
    [row] = await stage.outbox()
    assert (row.kind, row.account_id) == ("heads_failed", None)
    shown = texts.render(Kind.HEADS_FAILED, row.params, "en", row.began_at)
    assert f"meter {customer.account_id} general" in shown.body and "inkgate ledger verify" in shown.body


async def test_heads_that_do_not_fit_into_a_round_are_announced_until_they_do(
    stage: NoticeStage, monkeypatch: pytest.MonkeyPatch
) -> None:
    customer = stage.customer
    await stage.channel(ChannelKind.WEBHOOK, **HOOK)
    await funded(customer)
    await settled(customer)
    monkeypatch.setattr(anchors, "MAX_CHANGED", 1)
    monkeypatch.setattr(anchors, "MAX_STEPS", 1)
    await anchored(customer)
    assert await stage.round() == 1
    [row] = await stage.outbox()
    assert (row.kind, row.params) == ("heads_waiting", {"waiting": 1, "meters": 1})
    assert "1" in texts.render(Kind.HEADS_WAITING, row.params, "zh", row.began_at).body
    await anchored(customer)
    assert await stage.round() == 0
    assert [each.state for each in await stage.outbox()] == ["cancelled"]
