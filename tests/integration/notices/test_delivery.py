"""Notices reach real mail and HTTP servers, once, with retries; secrets stay out of sight."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import logging
import urllib.parse
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from inkgate.service.contract.capabilities import CAPABILITIES
from inkgate.service.db import work
from inkgate.service.errors import Misuse
from inkgate.service.notices import channels, repository
from inkgate.service.notices.kinds import ChannelKind
from inkgate.service.sealed import sm3
from tests.integration.notices.conftest import NoticeStage
from tests.notice_servers import OK, http_receiver, mail_server
from tests.tls.authority import Authority

MAIL = {"smtp_host": "localhost", "smtp_user": "inkgate", "smtp_from": "InkGate 通知 <inkgate@example.com>"}
SECRET = "SEC-of-the-robot-0123456789"


async def expiring_pack(stage: NoticeStage) -> None:
    """A condition that holds."""
    await stage.customer.grant(10, ends_at=stage.customer.clock.time + timedelta(days=3))


def mail_settings(authority: Authority, port: int) -> dict[str, object]:
    return {**MAIL, "smtp_port": port, "smtp_ca_file": authority.path, "smtp_password": "mail-password"}


async def test_a_mail_goes_out_over_tls_with_a_login(
    make_stage: Callable[..., NoticeStage], authority: Authority
) -> None:
    with mail_server(authority.issue("localhost")) as box:
        stage = make_stage(**mail_settings(authority, box.port))
        await stage.channel(ChannelKind.EMAIL, addresses="ops@example.com, boss@example.com")
        await expiring_pack(stage)
        await stage.round()
        assert await stage.deliver() == 1
        assert await stage.deliver() == 0
    assert (box.logins, box.over_tls) == (["inkgate"], [True])
    assert box.recipients == [["ops@example.com", "boss@example.com"]]
    [mail] = box.messages
    [row] = await stage.outbox()
    assert mail["Subject"] == f"资源包即将到期：main 的{CAPABILITIES['general'].title}"
    assert mail["From"].addresses[0].display_name == "InkGate 通知"
    assert mail["Message-ID"] == f"<{row.id}@example.com>"
    assert "10 次未使用" in mail.get_content() and "北京时间" in mail.get_content()
    assert (row.state, row.attempts, row.error) == ("sent", 1, "")
    assert stage.outcomes == [("pack_expiring", "email", "sent")]


async def test_a_server_of_an_unknown_authority_gets_nothing(
    make_stage: Callable[..., NoticeStage], authority: Authority, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    other.mkdir()
    with mail_server(authority.issue("localhost")) as box:
        settings = mail_settings(Authority(other, "other"), box.port)
        stage = make_stage(**settings)
        await stage.channel(ChannelKind.EMAIL, addresses="ops@example.com")
        await expiring_pack(stage)
        await stage.round()
        await stage.deliver()
    assert (box.logins, box.messages) == ([], [])
    [row] = await stage.outbox()
    assert (row.state, row.error) == ("waiting", "SSLCertVerificationError with the mail server")


async def test_an_address_that_is_refused_does_not_repeat_the_mail_to_the_others(
    make_stage: Callable[..., NoticeStage], authority: Authority
) -> None:
    with mail_server(authority.issue("localhost")) as box:
        box.refused = {"gone@example.com"}
        stage = make_stage(**mail_settings(authority, box.port))
        await stage.channel(ChannelKind.EMAIL, addresses="gone@example.com ops@example.com")
        await expiring_pack(stage)
        await stage.round()
        await stage.deliver()
    assert box.recipients == [["ops@example.com"]]
    [row] = await stage.outbox()
    assert row.state == "sent" and row.error.startswith("the mail server refused 1 address(es): 550")


async def test_a_wrong_password_is_reported_without_it(
    make_stage: Callable[..., NoticeStage], authority: Authority
) -> None:
    with mail_server(authority.issue("localhost")) as box:
        settings = mail_settings(authority, box.port) | {"smtp_password": "not-the-password"}
        stage = make_stage(**settings)
        await stage.channel(ChannelKind.EMAIL, addresses="ops@example.com")
        await expiring_pack(stage)
        await stage.round()
        await stage.deliver()
    [row] = await stage.outbox()
    assert row.error.startswith("the mail server answered 535") and "not-the-password" not in row.error


async def test_mail_waits_for_a_server_that_is_down(
    make_stage: Callable[..., NoticeStage], authority: Authority
) -> None:
    with mail_server(authority.issue("localhost")) as box:
        box.down = True
        stage = make_stage(**mail_settings(authority, box.port))
        await stage.channel(ChannelKind.EMAIL, addresses="ops@example.com")
        await expiring_pack(stage)
        await stage.round()
        assert await stage.deliver() == 1, "the next attempt is not due yet"
        box.down = False
        assert await stage.deliver() == 0
        stage.customer.clock.advance(seconds=40)
        assert await stage.deliver() == 1
    assert len(box.messages) == 1
    assert [outcome for _, _, outcome in stage.outcomes] == ["retried", "sent"]


@pytest.mark.parametrize("algorithm", ["sha256", "sm3"])
async def test_a_webhook_is_signed(stage: NoticeStage, algorithm: str) -> None:
    async with http_receiver([(204, b"")]) as receiver:
        await stage.channel(ChannelKind.WEBHOOK, url=receiver.url(), secret=SECRET, algorithm=algorithm, language="en")
        await expiring_pack(stage)
        await stage.round()
        assert await stage.deliver() == 1
    [request] = receiver.received
    signed = request.headers["x-inkgate-timestamp"].encode() + b"." + request.body
    expected = sm3.hmac(SECRET.encode(), signed).hex() if algorithm == "sm3" else ""
    expected = expected or hmac.new(SECRET.encode(), signed, hashlib.sha256).hexdigest()
    assert request.headers["x-inkgate-signature"] == f"{algorithm}={expected}"
    [row] = await stage.outbox()
    assert request.headers["x-inkgate-notice"] == request.json["id"] == row.id
    assert request.json["title"].startswith("Packs expiring soon") and request.json["details"]["left"] == 10


async def test_a_webhook_over_tls_is_verified(make_stage: Callable[..., NoticeStage], authority: Authority) -> None:
    async with http_receiver(tls=authority.issue("localhost")) as receiver:
        stage = make_stage(ca_file=authority.path, plain_http=False, networks=("127.0.0.0/8", "::1/128"))
        await stage.channel(ChannelKind.WEBHOOK, url=receiver.url(host="localhost"))
        await stage.channel(ChannelKind.WEBHOOK, url=receiver.url(host="127.0.0.1"))
        await expiring_pack(stage)
        await stage.round()
        await stage.deliver()
    assert len(receiver.received) == 1, "the certificate is of localhost, not of the address"
    assert receiver.received[0].headers["host"] == f"localhost:{receiver.port}"
    assert sorted(row.state for row in await stage.outbox()) == ["sent", "waiting"]


@pytest.mark.parametrize(
    ("answers", "problem"),
    [
        ([(500, b"")], "the webhook answered HTTP 500"),
        ([(302, b"")], "the webhook answered HTTP 302"),
        ([(0, b"")], "RemoteProtocolError with 127.0.0.1"),
    ],
)
async def test_failures_are_tried_again_and_then_given_up(
    make_stage: Callable[..., NoticeStage],
    answers: list[tuple[int, bytes]],
    problem: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    stage = make_stage(attempts=3)
    async with http_receiver(answers) as receiver:
        await stage.channel(ChannelKind.WEBHOOK, url=receiver.url(), secret=SECRET)
        await expiring_pack(stage)
        await stage.round()
        for _ in range(6):
            await stage.deliver()
            stage.customer.clock.advance(hours=2)
        assert len(receiver.received) == 3, "a redirect is not followed"
        assert len({request.headers["x-inkgate-notice"] for request in receiver.received}) == 1
        [row] = await stage.outbox()
        assert (row.state, row.attempts, row.error) == ("failed", 3, problem)
        assert [outcome for _, _, outcome in stage.outcomes] == ["retried", "retried", "failed"]
        receiver.answers = [OK]
        async with work.unit_of_work(stage.customer.engine, "test", stage.customer.clock) as unit:
            await channels.retry(unit, row.id, None)
        await stage.deliver()
    [row] = await stage.outbox()
    assert row.state == "sent"
    said = " ".join(str(record.__dict__) for record in caplog.records if record.levelno >= logging.INFO)
    assert "secret-in-the-url" not in said and SECRET not in said


async def test_a_slow_webhook_is_broken_off(make_stage: Callable[..., NoticeStage]) -> None:
    stage = make_stage(timeout=0.3)
    async with http_receiver(delay=5) as receiver:
        await stage.channel(ChannelKind.WEBHOOK, url=receiver.url())
        await expiring_pack(stage)
        await stage.round()
        await stage.deliver()
    [row] = await stage.outbox()
    assert row.error == "no answer within 0.3 s"


async def test_several_senders_send_each_notice_once(stage: NoticeStage) -> None:
    """The race of several gateways for one outbox."""
    async with http_receiver(delay=0.02) as receiver:
        for number in range(3):
            await stage.channel(ChannelKind.WEBHOOK, name=f"hook {number}", url=receiver.url())
        customer = stage.customer
        for day in range(1, 6):
            await customer.grant(10, ends_at=customer.clock.time + timedelta(days=day))
        await stage.round()
        senders = [stage.sender() for _ in range(4)]
        for _ in range(12):
            await asyncio.gather(*(sender.run_once() for sender in senders))
    sent = [request.headers["x-inkgate-notice"] for request in receiver.received]
    assert len(sent) == len(set(sent)) == 15
    assert {row.state for row in await stage.outbox()} == {"sent"}


async def test_a_notice_of_a_dead_sender_goes_out_with_the_same_id(stage: NoticeStage) -> None:
    async with http_receiver() as receiver:
        channel = await stage.channel(ChannelKind.WEBHOOK, url=receiver.url())
        await expiring_pack(stage)
        await stage.round()
        job = await stage.sender()._take(channel.id)
        assert job is not None
        assert await stage.deliver() == 0, "the channel is leased"
        stage.customer.clock.advance(minutes=5)
        assert await stage.deliver() == 1
    [row] = await stage.outbox()
    assert (row.state, row.attempts, receiver.received[0].headers["x-inkgate-notice"]) == ("sent", 2, row.id)
    async with work.unit_of_work(stage.customer.engine, "test", stage.customer.clock) as unit:
        assert not await repository.end_attempt(unit.session, row.id, 1, state="failed", error="late"), "it was late"


async def test_robots_get_their_own_formats(stage: NoticeStage) -> None:
    async with http_receiver([OK, OK, (200, b'{"code":0,"msg":"success"}')]) as receiver:
        url = receiver.url("/robot/send?access_token=token-of-the-robot")
        for kind in (ChannelKind.WECOM, ChannelKind.DINGTALK, ChannelKind.FEISHU):
            await stage.channel(kind, url=url, secret="" if kind is ChannelKind.WECOM else SECRET)
            stage.customer.clock.advance(seconds=1)
        await expiring_pack(stage)
        await stage.round()
        for _ in range(3):
            await stage.deliver()
    assert {row.state for row in await stage.outbox()} == {"sent"}
    by_type = {request.json.get("msgtype", request.json.get("msg_type")): request for request in receiver.received}
    wecom = next(each for each in receiver.received if "content" in each.json.get("markdown", {}))
    assert wecom.json["markdown"]["content"].startswith("### 资源包即将到期：main")
    dingtalk = next(each for each in receiver.received if "text" in each.json.get("markdown", {}))
    query = urllib.parse.parse_qs(urllib.parse.urlsplit(dingtalk.target).query)
    mac = hmac.new(SECRET.encode(), f"{query['timestamp'][0]}\n{SECRET}".encode(), hashlib.sha256).digest()
    assert query["sign"] == [base64.b64encode(mac).decode()] and query["access_token"] == ["token-of-the-robot"]
    feishu = by_type["post"].json
    key = f"{feishu['timestamp']}\n{SECRET}".encode()
    assert feishu["sign"] == base64.b64encode(hmac.new(key, b"", hashlib.sha256).digest()).decode()
    assert feishu["content"]["post"]["zh_cn"]["title"].startswith("资源包即将到期")


async def test_a_robots_refusal_in_a_good_answer_is_a_failure(stage: NoticeStage) -> None:
    async with http_receiver([(200, b'{"errcode":310000,"errmsg":"sign not match"}')]) as receiver:
        await stage.channel(ChannelKind.DINGTALK, url=receiver.url(), secret=SECRET)
        await expiring_pack(stage)
        await stage.round()
        await stage.deliver()
    [row] = await stage.outbox()
    assert (row.state, row.error) == ("waiting", "the robot answered 310000 sign not match")


async def test_a_test_notice_goes_the_same_way(stage: NoticeStage) -> None:
    customer = stage.customer
    async with http_receiver() as receiver:
        channel = await stage.channel(ChannelKind.WEBHOOK, own=True, url=receiver.url())
        async with work.unit_of_work(customer.engine, "test", customer.clock) as unit:
            await channels.test(unit, channel.id, customer.account_id)
        with pytest.raises(Misuse, match="every 60 seconds"):
            async with work.unit_of_work(customer.engine, "test", customer.clock) as unit:
                await channels.test(unit, channel.id, customer.account_id)
        with pytest.raises(Misuse, match="no such channel"):
            async with work.unit_of_work(customer.engine, "test", customer.clock) as unit:
                await channels.test(unit, channel.id, None)
        await stage.deliver()
    assert [request.json["kind"] for request in receiver.received] == ["test"]


async def test_nothing_waits_on_a_channel_that_is_gone_or_paused(stage: NoticeStage) -> None:
    customer = stage.customer
    async with http_receiver() as receiver:
        gone = await stage.channel(ChannelKind.WEBHOOK, url=receiver.url())
        paused = await stage.channel(ChannelKind.WEBHOOK, url=receiver.url())
        await expiring_pack(stage)
        assert await stage.round() == 2
        async with work.unit_of_work(customer.engine, "test", customer.clock) as unit:
            await channels.remove(unit, gone.id, None)
            await channels.pause(unit, paused.id, None, paused=True)
        assert await stage.deliver() == 0
        async with work.unit_of_work(customer.engine, "test", customer.clock) as unit:
            await channels.pause(unit, paused.id, None, paused=False)
        assert await stage.deliver() == 1
    assert sorted(row.state for row in await stage.outbox()) == ["cancelled", "sent"]


async def test_secrets_are_sealed_in_the_database(stage: NoticeStage) -> None:
    channel = await stage.channel(
        ChannelKind.DINGTALK, url="https://oapi.dingtalk.com/robot?access_token=abcdef", secret=SECRET
    )
    stored = bytes(channel.sealed_config)
    assert b"abcdef" not in stored and SECRET.encode() not in stored
    assert channel.target == "https://oapi.dingtalk.com/…"
