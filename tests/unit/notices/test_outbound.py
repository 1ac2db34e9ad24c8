"""Where requests may go: no URL that a customer types reaches this machine, its network or a metadata service."""

from __future__ import annotations

import asyncio
import socket
from ipaddress import ip_address
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inkgate.service.notices.outbound import Outbound, UrlRefused, may_reach, parse_url
from inkgate.service.notices.outgoing import DeliveryFailed
from inkgate.service.settings import Notices

PLAIN = Notices()
HOST = "oapi.dingtalk.com"
PUBLIC = "198.41.0.4"


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        (f"http://{HOST}/x", "not_https"),
        (f"ftp://{HOST}/x", "not_https"),
        ("https:///x", "invalid"),
        (f"https://{HOST}:0/x", "invalid"),
        (f"https://{HOST}:99999/x", "invalid"),
        (f"https://user:password@{HOST}/x", "invalid"),
        (f"https://{HOST}@evil.example/x", "invalid"),
        (f"https://evil.example\\@{HOST}/x", "invalid"),
        (f"https://{HOST}/x#y", "invalid"),
        (f"https://{HOST}/x y", "invalid"),
        (f"https://{HOST}/\r\nHost: y", "invalid"),
        (f"https://{HOST}/通知", "invalid"),
        (f"https://{HOST}/" + "x" * 1000, "invalid"),
        ("https://[::1", "invalid"),
        ("https://evil.example/x", "host_not_allowed"),
        (f"https://{HOST}.evil.example/x", "host_not_allowed"),
        ("https://127.0.0.1/x", "host_not_allowed"),
    ],
)
def test_urls_of_customers(url: str, reason: str) -> None:
    with pytest.raises(UrlRefused) as refused:
        parse_url(url, PLAIN, customer=True)
    assert refused.value.reason == reason


def test_good_urls() -> None:
    assert parse_url(f"https://{HOST.upper()}/x?a=b", PLAIN, customer=True).hostname == HOST
    assert parse_url("https://10.0.0.7:8443/x", PLAIN, customer=False).port == 8443
    assert parse_url("http://hook.internal/x", Notices(plain_http=True), customer=False).scheme == "http"


@pytest.mark.parametrize(
    ("address", "customer", "operator"),
    [
        (PUBLIC, True, True),
        ("10.0.0.7", False, True),
        ("192.168.1.1", False, True),
        ("172.16.0.1", False, True),
        ("fd00::7", False, True),
        ("127.0.0.1", False, False),
        ("::1", False, False),
        ("169.254.169.254", False, False),
        ("fe80::1", False, False),
        ("0.0.0.0", False, False),
        ("224.0.0.1", False, False),
        ("255.255.255.255", False, False),
        ("::ffff:127.0.0.1", False, False),
        ("::ffff:169.254.169.254", False, False),
        ("::ffff:198.41.0.4", True, True),
    ],
)
def test_addresses(address: str, customer: bool, operator: bool) -> None:
    assert may_reach(ip_address(address), PLAIN, customer=True) == customer
    assert may_reach(ip_address(address), PLAIN, customer=False) == operator
    assert may_reach(ip_address("10.1.2.3"), Notices(networks=("10.1.0.0/16",)), customer=True)


@given(st.ip_addresses())
def test_customers_reach_no_more_than_operators_and_public_addresses_only(address: Any) -> None:
    customer = may_reach(address, PLAIN, customer=True)
    assert not customer or may_reach(address, PLAIN, customer=False)
    assert not customer or (getattr(address, "ipv4_mapped", None) or address).is_global


@pytest.mark.parametrize("addresses", [["127.0.0.1"], [PUBLIC, "10.0.0.1"], []])
async def test_a_name_with_a_forbidden_address_is_not_connected(
    addresses: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where only one of several addresses is forbidden: which one a client takes is chance."""

    async def resolve(*_: object, **__: object) -> list[tuple[object, ...]]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (each, 443)) for each in addresses]

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", resolve)
    with pytest.raises(DeliveryFailed, match="an address to which nothing may be sent"):
        await Outbound(PLAIN).post(f"https://{HOST}/robot?token=secret", b"{}", {}, customer=True)


async def test_the_connection_goes_to_the_address_that_was_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    """DNS rebinding: the second answer of the name server would be loopback; there is no second question."""
    asked: list[object] = []
    connected: list[str] = []

    async def resolve(host: object, *_: object, **__: object) -> list[tuple[object, ...]]:
        asked.append(host)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (PUBLIC, 443))]

    async def connect(*_: object, remote_host: str, **__: object) -> object:
        connected.append(remote_host)
        raise OSError("no network in this test")

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", resolve)
    monkeypatch.setattr("anyio.connect_tcp", connect)
    with pytest.raises(DeliveryFailed) as failed:
        await Outbound(PLAIN).post(f"https://{HOST}/robot?token=secret", b"{}", {}, customer=True)
    assert (asked, connected) == ([HOST], [PUBLIC])
    assert "secret" not in str(failed.value)
