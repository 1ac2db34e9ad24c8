"""What the shipped nginx makes of header lines, with a real gateway behind it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from service.settings import Server, Settings
from tests.gateway import GatewayUnderTest
from tests.integration.test_headers import BODY, GENERAL, call, lines
from tests.served import ask, head, nginx, served

pytestmark = pytest.mark.ops


@pytest.fixture
async def front(tmp_path: Path) -> AsyncIterator[tuple[GatewayUnderTest, int]]:
    under_test = GatewayUnderTest(Settings(server=Server(trusted_proxies=["127.0.0.0/8"])))
    under_test.directory.add("f" * 32, allowed=["192.0.2.0/24"])
    async with served(under_test.app) as gateway:
        with nginx(tmp_path, gateway) as port:
            yield under_test, port


async def test_a_clients_forwarding_lines_do_not_pass(front):
    under_test, port = front
    for more in ([("X-Forwarded-For", "192.0.2.7")], [("X-Forwarded-For", "192.0.2.7")] * 2):
        status, answer = await call(port, lines("f" * 32, *more))
        assert (status, answer["code"]) == (403, "40009")
    assert (await call(port, lines(None, *more)))[0] == 200
    assert [settled.client_ip for settled in under_test.ledger.settled.values()] == ["127.0.0.1"]


@pytest.mark.parametrize("name", ["eop-authorization", "eop-date", "ctyun-eop-request-id", "appkey", "decrypted"])
async def test_repeats_that_the_gateway_refuses(front, name):
    _, port = front
    headers = [*lines(), ("decrypted", "false")]
    value = next(v for n, v in headers if n.lower() == name)
    status, answer = await call(port, [*headers, (name, value)])
    assert (status, answer["code"]) == (401, "10020")


@pytest.mark.parametrize("name", ["Host", "Content-Length"])
async def test_repeats_that_nginx_refuses(front, name):
    _, port = front
    value = next(v for n, v in lines() if n == name)
    status, _ = await ask(port, head("POST", GENERAL.paths[0], [*lines(), (name, value)]) + BODY)
    assert status == 400
