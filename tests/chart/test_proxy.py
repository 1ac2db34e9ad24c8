"""What the shipped nginx makes of header lines, with a real gateway behind it."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from inkgate.service.settings import Limits, Server, Settings
from tests.gateway import GatewayUnderTest
from tests.http_server import ask, head, nginx, served
from tests.integration.test_delivery import drops
from tests.integration.test_headers import BODY, GENERAL, call, lines
from tests.integration.test_signed_bytes import code
from tests.integration.test_signed_bytes import request as signed_request
from tests.tcp_reset import UNITS, Client, answering, repeat, request

pytestmark = pytest.mark.ops
INGRESS_BODY_SECONDS = 60  # default client-body-timeout of ingress-nginx


@pytest.fixture
async def front(tmp_path: Path) -> AsyncIterator[tuple[GatewayUnderTest, int]]:
    under_test = GatewayUnderTest(Settings(server=Server(trusted_proxies=["127.0.0.0/8"])))
    under_test.directory.add("f" * 32, allowed=["192.0.2.0/24"])
    async with served(under_test.app) as gateway:
        with nginx(tmp_path, gateway) as port:
            yield under_test, port


def test_the_gateway_times_out_a_slow_body_before_a_proxy_does():
    """Who waits as long as the gateway may close the connection first, without the contract's answer."""
    found = re.search(r"client_body_timeout (\d+)s;", Path("deploy/nginx/calls.conf").read_text(encoding="utf-8"))
    assert found is not None
    assert Settings().limits.body_timeout + 5 <= min(int(found[1]), INGRESS_BODY_SECONDS)


@pytest.mark.parametrize("begun", [True, False], ids=["begun", "not-begun"])
async def test_a_stalled_body_gets_the_contracts_answer(tmp_path: Path, begun: bool):
    under_test = GatewayUnderTest(Settings(limits=Limits(body_timeout=1)))
    stalled = request("slow")
    cut = len(stalled) - 100 if begun else stalled.index(b"\r\n\r\n") + 4
    async with served(under_test.app) as gateway:
        with nginx(tmp_path, gateway) as port:
            status, answer = await ask(port, stalled[:cut])
    assert status == 408 and json.loads(answer)["statusCode"] == 40800
    assert under_test.ledger.units == 0


async def test_forwarding_headers_of_a_client_are_replaced(front):
    under_test, port = front
    for more in ([("X-Forwarded-For", "192.0.2.7")], [("X-Forwarded-For", "192.0.2.7")] * 2):
        status, answer = await call(port, lines("f" * 32, *more))
        assert (status, answer["code"]) == (403, "40009")
    assert (await call(port, lines(None, *more)))[0] == 200
    assert [settled.client_ip for settled in under_test.ledger.settled.values()] == ["127.0.0.1"]


@pytest.mark.parametrize("name", ["eop-authorization", "eop-date", "ctyun-eop-request-id", "appkey", "decrypted"])
async def test_the_gateway_refuses_repeated_headers(front, name):
    _, port = front
    headers = [*lines(), ("decrypted", "false")]
    value = next(v for n, v in headers if n.lower() == name)
    status, answer = await call(port, [*headers, (name, value)])
    assert (status, answer["code"]) == (401, "10020")


@pytest.mark.parametrize("name", ["Host", "Content-Length"])
async def test_nginx_refuses_repeated_headers(front, name):
    _, port = front
    value = next(v for n, v in lines() if n == name)
    status, _ = await ask(port, head("POST", GENERAL.paths[0], [*lines(), (name, value)]) + BODY)
    assert status == 400


@pytest.mark.parametrize("part", [1000, 0.5, 1.0], ids=["1000-bytes", "half", "all"])
@pytest.mark.parametrize("size", [1_000, 300_000, 8_600_000], ids=["1kB", "300kB", "8MB"])
async def test_a_reset_behind_nginx_is_charged_once_unless_nginx_had_the_whole_answer(front, size: int, part: float):
    """nginx is the gateway's peer (D13): what it has taken is delivered, and with `proxy_buffering off` it takes little
    more of a large answer than its client does."""
    under_test, port = front
    answering(under_test, size)
    data = request("r-1")
    client = Client(port)
    await client.send(data)
    await client.take(part)
    client.reset()
    delivered = await drops(under_test, 2)
    body = await repeat(port, data)
    assert len(body) > size * 0.8
    assert under_test.ledger.units == (2 if delivered else 1) * UNITS
    assert delivered or part != 1.0
    assert not delivered or size < 8_000_000 or part != 1000, "more than socket buffers hold"
    assert await drops(under_test), "the repeat was delivered"


async def test_bytes_of_headers_and_query_pass_unchanged(front):
    _, port = front
    for value in ("图".encode(), b"\xff\xe9"):
        assert await code(port, signed_request(b"k=" + value, b"k=" + value, {"x-note": value})) == 0
