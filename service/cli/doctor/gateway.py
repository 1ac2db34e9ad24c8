"""Doctor checks of a gateway over HTTP: reachable, ready, clock, certificate."""

from __future__ import annotations

import asyncio
import socket
import ssl
import time
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from urllib.parse import urlsplit

import httpx

from inkgate.service.cli.doctor.finding import Finding, clock_finding, redacted_location
from inkgate.service.cli.doctor.host import expiry
from inkgate.service.contract.capabilities import CAPABILITIES, DEFAULT
from inkgate.service.settings import Settings

_TIMEOUT_SECONDS = 5.0
_MAX_SKEW_SECONDS = 60.0


async def examine(settings: Settings, url: str) -> list[Finding]:
    """Check the gateway at `url`; without one, the gateway of the settings, or whether its port is free."""
    here = _configured_url(settings)
    address = (url or settings.console.gateway_url or here).rstrip("/")
    if urlsplit(address).scheme not in ("http", "https") or not urlsplit(address).hostname:
        return [Finding("gateway", address, "Give its address as https://HOST[:PORT].")]
    secure = await _certificate(address) if address.startswith("https:") else []
    try:
        # Trust in the certificate is a finding of its own, which must not hide the others.
        async with httpx.AsyncClient(timeout=_TIMEOUT_SECONDS, verify=False, trust_env=False) as http:  # noqa: S501
            answer = await http.get(f"{address}/readyz")
            call = await http.post(address + CAPABILITIES[DEFAULT].paths[0], content=b"{}")
    except httpx.ConnectError:
        return (
            [_port_finding(settings, address)]
            if address == here
            else [
                Finding(
                    "gateway",
                    f"{redacted_location(address)}: nothing listens there",
                    "Is it running, and reachable from here?",
                )
            ]
        )
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        return [
            Finding(
                "gateway", f"{redacted_location(address)}: {type(error).__name__}", "Is it InkGate that listens there?"
            )
        ]
    return [_state(address, answer, call), *clock(call), *secure]


def _configured_url(settings: Settings) -> str:
    host = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(settings.server.host, settings.server.host)  # noqa: S104
    return f"http://{host}:{settings.server.port}"


def _state(address: str, ready: httpx.Response, call: httpx.Response) -> Finding:
    where = redacted_location(address)
    if not _is_inkgate(call):
        return Finding(
            "gateway",
            f"{where}: HTTP {call.status_code}, not InkGate's answer to an unsigned call",
            "Something else listens there, or a proxy does not hand /v1 on.",
        )
    if ready.status_code == 404:
        return Finding("gateway", f"{where} answers calls; its proxy keeps health inside")
    parts = ready.json().get("parts", {}) if "json" in ready.headers.get("content-type", "") else {}
    wrong = ", ".join(f"{name}: {state}" for name, state in parts.items() if state != "ok")
    if ready.status_code != 200:
        return Finding("gateway", f"{where} is not ready ({wrong or ready.status_code})", "See the other findings.")
    return Finding("gateway", f"{where} is ready")


def _is_inkgate(call: httpx.Response) -> bool:
    """Whether the answer to an unsigned call has the format of InkGate."""
    try:
        return "statusCode" in call.json() or "code" in call.json()
    except ValueError:
        return False


def clock(answer: httpx.Response) -> list[Finding]:
    """The gateway's clock against this machine's, from the Date header of an answer; empty without one."""
    try:
        theirs = parsedate_to_datetime(answer.headers["date"]).timestamp()
    except (KeyError, ValueError):
        return []
    return [
        clock_finding("gateway clock", theirs - time.time() + 0.5, _MAX_SKEW_SECONDS)
    ]  # the header is truncated to whole seconds


def _port_finding(settings: Settings, address: str) -> Finding:
    """No process listens on the port of the settings: whether the port is free."""
    server = settings.server
    with socket.socket(socket.AF_INET6 if ":" in server.host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((server.host, server.port))
        except OSError as error:
            return Finding(
                "gateway",
                f"{server.host}:{server.port}: {error.strerror}",
                "Free the port, or set INKGATE_SERVER__PORT.",
            )
    return Finding("gateway", f"none runs here; {server.host}:{server.port} is free (--gateway URL checks another)")


async def _certificate(address: str) -> list[Finding]:
    """The expiry of the certificate, and whether clients on this machine trust it."""
    parts = urlsplit(address)
    host, port = parts.hostname or "", parts.port or 443
    try:
        found = await asyncio.to_thread(_ends, host, port)
    except ssl.SSLCertVerificationError as error:
        return [
            Finding(
                "certificate",
                f"{host}:{port}: {error.verify_message}",
                "Install one that clients trust for this name, or give them its authority.",
            )
        ]
    except OSError:
        return []  # reported by the check of the call
    return [expiry(f"{host}:{port}", found)]


def _ends(host: str, port: int) -> datetime:
    with (
        socket.create_connection((host, port), _TIMEOUT_SECONDS) as plain,
        ssl.create_default_context().wrap_socket(plain, server_hostname=host) as secure,
    ):
        ends = ssl.cert_time_to_seconds(str((secure.getpeercert() or {})["notAfter"]))
        return datetime.fromtimestamp(ends, UTC)
