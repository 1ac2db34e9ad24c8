"""Every kind of notice has its text in both languages; names cannot break out of headers or markup."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inkgate.service.notices import robots
from inkgate.service.notices.email import message
from inkgate.service.notices.kinds import ChannelKind, Kind
from inkgate.service.notices.outgoing import ChannelConfig, OutgoingNotice
from inkgate.service.notices.texts import render

AT = datetime(2026, 3, 1, 8, tzinfo=UTC)
PARAMS: dict[str, Any] = {
    "account": "某公司",
    "capability": "idcard",
    "left": 1200,
    "total": 100_000,
    "rate": 300.5,
    "days": 4.0,
    "packs": 2,
    "ends_at": "2026-03-05T16:00:00+00:00",
    "number": "20260301160000000001",
    "fen": 135_000,
    "at": "2026-03-01T08:00:00+00:00",
    "units": 100_000,
    "seconds": 130,
    "name": "gateway.example.com:443",
    "problem": "entry 7 was changed",
    "waiting": 3,
    "meters": 9,
}


def outgoing(language: str, **params: Any) -> OutgoingNotice:
    values = PARAMS | params
    text = render(Kind.LOW_BALANCE, values, language, AT)
    return OutgoingNotice("0195-id", Kind.LOW_BALANCE, language, text, values, "account", AT)


@pytest.mark.parametrize("kind", list(Kind))
@pytest.mark.parametrize("language", ["zh", "en"])
def test_every_kind_has_a_text(kind: Kind, language: str) -> None:
    text = render(kind, PARAMS, language, AT)
    assert text.title and "{" not in text.title + text.body
    chinese = any("\u4e00" <= each <= "\u9fff" for each in text.body.replace("某公司", ""))
    assert chinese == (language == "zh")


def test_amounts_and_times_are_local() -> None:
    order = render(Kind.ORDER_WAITING, PARAMS, "zh", AT)
    assert order.lines[0] == "订单 20260301160000000001，金额 ¥1,350.00，2026-03-01 16:00 提交，等待审批。"
    low = render(Kind.LOW_BALANCE, PARAMS, "en", AT)
    assert low.lines[:2] == ("1,200 of 100,000 units are left.", "At 300.5 units a day they last 4.0 days.")
    unused = render(Kind.LOW_BALANCE, PARAMS | {"days": None, "rate": 0.0}, "zh", AT)
    assert unused.lines[1] == "最近 7 天没有使用。"


@given(st.text(max_size=64))
def test_names_stay_within_their_line(name: str) -> None:
    """Any name: no second header or line, no mention of everybody, no link."""
    notice = outgoing("zh", account=name)
    mail = message(notice, ("ops@example.com",), "InkGate <inkgate@example.com>")
    assert len(mail.keys()) == len(set(mail.keys()))
    assert b"\n\n" in mail.as_bytes() and mail["To"] == "ops@example.com"
    markdown = robots.markdown(notice)
    assert len(markdown.splitlines()) == 1 + len(notice.text.lines)
    assert not set(markdown.removeprefix("### ")) & set("<>[]()@#*`_")


def test_a_long_message_is_cut_within_a_character() -> None:
    config = ChannelConfig(url="https://qyapi.weixin.qq.com/x")
    _, content = robots.request(ChannelKind.WECOM, config, outgoing("zh", account="名" * 5000), 0.0)
    assert len(content["markdown"]["content"].encode()) <= robots.WECOM_BYTES
