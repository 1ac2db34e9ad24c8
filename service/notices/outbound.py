"""HTTP requests to URLs that users typed: to allowed addresses only, bounded in time and size, without redirects.

The name is resolved here, every address is checked, and the connection goes to a checked address: a name that resolves
to another address the second time (DNS rebinding) gains nothing.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

import httpx

from inkgate.service.errors import ConfigurationError
from inkgate.service.notices.outgoing import DeliveryFailed
from inkgate.service.settings import Notices

MAX_URL_CHARACTERS = 1000
MAX_ANSWER_BYTES = 64 * 1024
_PORTS = {"https": 443, "http": 80}

Address = IPv4Address | IPv6Address


@dataclass(frozen=True, slots=True)
class UrlRefused(Exception):
    """A URL to which nothing is sent; `reason` is a code of `inkgate.service.messages.notices` after "notice.url_"."""

    reason: str


def parse_url(url: str, settings: Notices, *, customer: bool) -> SplitResult:
    """The parts of a URL that a channel may have. Raises UrlRefused."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise UrlRefused("invalid") from None
    printable = url.isascii() and url.isprintable() and " " not in url and "\\" not in url
    if not printable or len(url) > MAX_URL_CHARACTERS or not parts.hostname or port == 0:
        raise UrlRefused("invalid")
    if parts.username is not None or parts.password is not None or parts.fragment:
        raise UrlRefused("invalid")
    if parts.scheme != "https" and not (parts.scheme == "http" and settings.plain_http):
        raise UrlRefused("not_https")
    if customer and parts.hostname not in {each.lower() for each in settings.customer_hosts}:
        raise UrlRefused("host_not_allowed")
    return parts


def may_reach(address: Address, settings: Notices, *, customer: bool) -> bool:
    """Whether requests may go to an address: customers' to public ones, operators' to all but this machine, link-local
    ones (metadata services) and such that are no hosts; both to the networks of the settings."""
    mapped = getattr(address, "ipv4_mapped", None)
    if mapped is not None:
        address = mapped
    if any(address in ip_network(each) for each in settings.networks):
        return True
    if address.is_loopback or address.is_link_local or address.is_multicast or address.is_unspecified:
        return False
    return address.is_global or (not customer and address.is_private and not address.is_reserved)


class Outbound:
    """Sends requests. Raises ConfigurationError when the file of authorities cannot be read."""

    def __init__(self, settings: Notices) -> None:
        self._settings = settings
        self._tls = tls_context(settings.ca_file, "INKGATE_NOTICES__CA_FILE")

    async def post(self, url: str, body: bytes, headers: dict[str, str], *, customer: bool) -> tuple[int, bytes]:
        """POST a body; returns status and body of the answer. Raises DeliveryFailed without the URL, which may hold a
        secret."""
        try:
            parts = parse_url(url, self._settings, customer=customer)
        except UrlRefused as refused:
            raise DeliveryFailed(f"the settings do not allow this URL ({refused.reason})") from None
        try:
            async with asyncio.timeout(self._settings.timeout):
                return await self._post(parts, body, headers, customer)
        except TimeoutError:
            raise DeliveryFailed(f"no answer within {self._settings.timeout:g} s") from None
        except httpx.HTTPError as error:
            raise DeliveryFailed(f"{type(error).__name__} with {parts.hostname}") from None
        except (OSError, ValueError, httpx.InvalidURL) as error:
            raise DeliveryFailed(f"{type(error).__name__} with {parts.hostname}") from None

    async def _post(
        self, parts: SplitResult, body: bytes, headers: dict[str, str], customer: bool
    ) -> tuple[int, bytes]:
        target, extensions, settings = parts, {}, self._settings
        if not settings.proxy_url:
            address = await self._resolve(parts, customer)
            host = f"[{address}]" if address.version == 6 else str(address)
            target = parts._replace(netloc=f"{host}:{parts.port or _PORTS[parts.scheme]}")
            extensions = {"sni_hostname": parts.hostname}
        async with httpx.AsyncClient(
            verify=self._tls, proxy=settings.proxy_url or None, trust_env=False, timeout=settings.timeout
        ) as client:
            sent = {"Host": parts.netloc, "User-Agent": "InkGate", "Content-Type": "application/json", **headers}
            request = client.build_request("POST", target.geturl(), content=body, headers=sent, extensions=extensions)
            answer = await client.send(request, stream=True)
            with contextlib.suppress(httpx.StreamError):
                return answer.status_code, await _bounded(answer)
            return answer.status_code, b""

    async def _resolve(self, parts: SplitResult, customer: bool) -> Address:
        """An allowed address of the host; every address must be allowed. Raises DeliveryFailed."""
        assert parts.hostname is not None
        loop = asyncio.get_running_loop()
        port = parts.port or _PORTS[parts.scheme]
        try:
            found = await loop.getaddrinfo(parts.hostname, port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError):
            raise DeliveryFailed(f"the name {parts.hostname} cannot be resolved") from None
        addresses = [ip_address(str(each[4][0]).partition("%")[0]) for each in found]
        if not addresses or not all(may_reach(each, self._settings, customer=customer) for each in addresses):
            raise DeliveryFailed(f"{parts.hostname} has an address to which nothing may be sent")
        return addresses[0]


async def _bounded(answer: httpx.Response) -> bytes:
    """The first MAX_ANSWER_BYTES of an answer."""
    found = bytearray()
    try:
        async for piece in answer.aiter_bytes():
            found += piece
            if len(found) >= MAX_ANSWER_BYTES:
                break
    finally:
        await answer.aclose()
    return bytes(found[:MAX_ANSWER_BYTES])


def tls_context(ca_file: Path | None, setting: str) -> ssl.SSLContext:
    """A client's context with the authorities of a file, or the system's. Raises ConfigurationError."""
    try:
        return ssl.create_default_context(cafile=ca_file)
    except (OSError, ssl.SSLError) as error:
        raise ConfigurationError(setting, f"cannot be read ({error})", "Name a PEM file of authorities.") from None
