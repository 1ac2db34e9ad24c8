"""The notices pages over HTTP: channels are made, tried and removed; what was sent is shown; secrets are not."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from inkgate.service.accounts import service as accounts
from inkgate.service.audit import repository as audit
from inkgate.service.db import work
from inkgate.service.metering.service import grant_pack
from inkgate.service.notices.delivery import Sender
from inkgate.service.notices.evaluation import Evaluator
from inkgate.service.users import service as users
from tests.console.console_fixture import PASSWORD, BrowserClient, ConsoleFixture
from tests.notice_servers import http_receiver

LOOPBACK = {"networks": ("127.0.0.0/8",), "plain_http": True, "customer_hosts": ("127.0.0.1",), "attempts": 1}


@pytest.fixture
async def console(engine: AsyncEngine) -> ConsoleFixture:
    return await ConsoleFixture.build(engine, notices=LOOPBACK)


async def deliver(console: ConsoleFixture) -> None:
    """One round and its deliveries, as a gateway makes them."""
    settings = console.parts.settings.notices
    console.clock.advance(minutes=2)
    await Evaluator(console.engine, settings, clock=console.clock).run_round()
    sender = Sender(console.engine, console.parts.vault, settings, pace=0.0, clock=console.clock)
    while await sender.run_once():
        pass


def channel_id(page: str) -> str:
    found = re.search(r"channels/([0-9a-f-]{36})/test", page)
    assert found
    return found[1]


async def test_a_customer_gets_a_notice_of_an_expiring_pack(console: ConsoleFixture) -> None:
    lin = await console.signed_in("lin")
    async with console.begin() as unit:
        await grant_pack(unit, console.account_id, "plate", 700, ends_at=console.clock.time + timedelta(days=5))
        await grant_pack(unit, console.other_id, "plate", 700, ends_at=console.clock.time + timedelta(days=5))
    async with http_receiver() as receiver:
        made = await lin.submitted(
            "/notices/channels", page="/notices", kind="webhook", name="值班", url=receiver.url(), language="zh"
        )
        assert "请立即保存" in made.text
        secret = re.search(r'data-copy="([0-9a-f]{48})"', made.text)
        assert secret
        console.clock.advance(minutes=6)
        await deliver(console)
    assert [request.json["account_id"] for request in receiver.received] == [console.account_id]
    page = await lin.see("/notices")
    assert "资源包即将到期：青禾的" in page.replace(" 的", "的") and "已发送" in page
    assert secret[1] not in page and "secret-in-the-url" not in page
    east = await console.signed_in("east")
    assert "值班" not in await east.see("/notices") and "已发送" not in await east.see("/notices")


async def test_a_test_notice_fails_visibly_and_is_sent_again(console: ConsoleFixture) -> None:
    chief, path = await console.signed_in("chief"), "/operator/notices"
    async with http_receiver([(503, b""), (200, b"")]) as receiver:
        await chief.submit(
            f"{path}/channels", page=path, kind="webhook", name="ops", url=receiver.url(), secret="s" * 20
        )
        found = channel_id(await chief.see(path))
        tried = await chief.submit(f"{path}/channels/{found}/test", page=path)
        assert tried.headers["location"].endswith("done=channel-test")
        again = await chief.submit(f"{path}/channels/{found}/test", page=path)
        assert again.status_code == 422 and "每 60 秒" in again.text
        await deliver(console)
        page = await chief.see(path)
        assert "发送失败" in page and "the webhook answered HTTP 503" in page and "测试通知" in page
        notice = re.search(r"notices/([0-9a-f-]{36})/retry", page)
        assert notice
        await chief.submit(f"{path}/{notice[1]}/retry", page=path)
        await deliver(console)
    assert "已发送" in await chief.see(path) and len(receiver.received) == 2
    for change, shown in (("pause", "已暂停"), ("resume", "启用"), ("remove", "还没有通知通道")):
        await chief.submit(f"{path}/channels/{found}/{change}", page=path)
        assert shown in await chief.see(path)
    assert "ops" in await chief.see(path), "what was sent stays in the list"
    async with work.read_session(console.engine) as session:
        events = await audit.events(session)
    assert {"notice.channel_create", "notice.channel_remove", "notice.test", "notice.retry"} <= {
        e.action for e in events
    }
    assert "secret-in-the-url" not in str([event.detail for event in events])


@pytest.mark.parametrize(
    ("fields", "status", "text"),
    [
        ({"kind": "webhook", "url": "https://evil.example/x"}, 422, "不在允许的主机之列"),
        ({"kind": "feishu", "url": "ftp://127.0.0.1/x"}, 422, "https://"),
        ({"kind": "wecom", "url": "https://a:b@127.0.0.1/x"}, 422, "请填写形如"),
        ({"kind": "email", "addresses": "a@b, not an address"}, 422, "不是有效的邮箱地址"),
        ({"kind": "email", "addresses": ""}, 422, "1 到 10 个邮箱地址"),
        ({"kind": "webhook", "url": "https://127.0.0.1/x", "kinds": "order_waiting"}, 422, "没有通知类型"),
        ({"kind": "webhook", "url": "https://127.0.0.1/x", "language": "fr"}, 422, "没有语言"),
        ({"kind": "webhook", "url": "https://127.0.0.1/x", "name": "x" * 41}, 422, "1 到 40 个字符"),
        ({"kind": "pigeon", "url": "https://127.0.0.1/x"}, 400, ""),
    ],
)
async def test_what_cannot_be_a_channel_is_refused(
    console: ConsoleFixture, fields: dict[str, str], status: int, text: str
) -> None:
    lin = await console.signed_in("lin")
    answer = await lin.submit("/notices/channels", page="/notices", **{"name": "x", **fields})
    assert answer.status_code == status and text in answer.text
    assert "还没有通知通道" in await lin.see("/notices")


async def test_thresholds_are_saved_and_reset(console: ConsoleFixture) -> None:
    lin = await console.signed_in("lin")
    assert "目前使用平台的默认值" in await lin.see("/notices")
    given = {"low_percent": "33", "low_days": "0", "expiry_days": "60"}
    done = await lin.submit("/notices/thresholds", page="/notices", **given)
    assert done.headers["location"].endswith("done=thresholds")
    page = await lin.see("/notices")
    assert 'value="33"' in page and 'value="60"' in page and "目前使用平台的默认值" not in page
    for wrong in ({"low_percent": "101"}, {"low_days": "x"}, {"expiry_days": "366"}, {"low_percent": "-1"}):
        assert (await lin.submit("/notices/thresholds", page="/notices", **(given | wrong))).status_code == 422
    await lin.submit("/notices/thresholds", page="/notices", default="1")
    assert "目前使用平台的默认值" in await lin.see("/notices")


async def test_a_sub_account_has_no_notices_of_its_own(console: ConsoleFixture) -> None:
    hashed = await console.parts.passwords.hash(PASSWORD)
    async with console.begin() as unit:
        sub = await accounts.create_account(unit, "青禾二部", parent_id=console.account_id)
        await users.create_user(unit, "branch", hashed, account_id=sub.id)
    branch: BrowserClient = await console.signed_in("branch")
    assert (await branch.get("/notices")).status_code == 403
    assert "/console/notices" not in await branch.see("/")
