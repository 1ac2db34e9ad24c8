"""Real servers on loopback that receive notices: HTTP with or without TLS, and SMTP with STARTTLS and passwords."""

from __future__ import annotations

import asyncio
import contextlib
import email
import email.policy
import json
import ssl
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass, field
from email.message import EmailMessage
from pathlib import Path
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from tests.valkey import free_port

OK = (200, b'{"errcode":0,"errmsg":"ok"}')


@dataclass(slots=True)
class Received:
    """One HTTP request."""

    target: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(slots=True)
class HttpReceiver:
    """Records requests and gives `answers` in turn, the last one again and again. A status of 0 closes the connection
    without an answer; `delay` seconds pass before each answer."""

    answers: list[tuple[int, bytes]] = field(default_factory=lambda: [OK])
    delay: float = 0.0
    received: list[Received] = field(default_factory=list)
    port: int = 0
    scheme: str = "http"

    def url(self, path: str = "/hook?key=secret-in-the-url", host: str = "127.0.0.1") -> str:
        return f"{self.scheme}://{host}:{self.port}{path}"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError, ssl.SSLError):
            top = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
            headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in top[1:-2])}
            body = await reader.readexactly(int(headers.get("content-length", "0")))
            self.received.append(Received(top[0].split(" ")[1], headers, body))
            status, answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
            await asyncio.sleep(self.delay)
            if status:
                head = f"HTTP/1.1 {status} X\r\nContent-Length: {len(answer)}\r\nLocation: /elsewhere\r\n"
                writer.write(f"{head}Connection: close\r\n\r\n".encode() + answer)
                await writer.drain()
        writer.close()


@contextlib.asynccontextmanager
async def http_receiver(
    answers: Sequence[tuple[int, bytes]] = (OK,), *, tls: tuple[Path, Path] | None = None, delay: float = 0.0
) -> AsyncIterator[HttpReceiver]:
    receiver = HttpReceiver(list(answers), delay)
    context = None
    if tls is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*tls)
        receiver.scheme = "https"
    server = await asyncio.start_server(receiver.serve, "127.0.0.1", 0, ssl=context)
    receiver.port = server.sockets[0].getsockname()[1]
    async with server:
        yield receiver


@dataclass(slots=True)
class Mailbox:
    """What a mail server took: envelopes and parsed messages. Addresses in `refused` get 550, `down` answers 451."""

    refused: set[str] = field(default_factory=set)
    down: bool = False
    recipients: list[list[str]] = field(default_factory=list)
    messages: list[EmailMessage] = field(default_factory=list)
    logins: list[str] = field(default_factory=list)
    over_tls: list[bool] = field(default_factory=list)
    port: int = 0

    async def handle_RCPT(
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        if address in self.refused:
            return "550 no such user"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, _server: SMTP, session: Session, envelope: Envelope) -> str:
        if self.down:
            return "451 try later"
        assert isinstance(envelope.content, bytes)
        parsed = email.message_from_bytes(envelope.content, policy=email.policy.default)
        assert isinstance(parsed, EmailMessage)
        self.messages.append(parsed)
        self.recipients.append(list(envelope.rcpt_tos))
        self.over_tls.append(session.ssl is not None)
        return "250 OK"

    def authenticate(
        self, _server: SMTP, _session: Session, _envelope: Envelope, _mechanism: str, data: LoginPassword
    ) -> AuthResult:
        self.logins.append(data.login.decode())
        good = (data.login, data.password) == (b"inkgate", b"mail-password")
        return AuthResult(success=good, handled=False)


@contextlib.contextmanager
def mail_server(tls: tuple[Path, Path]) -> Iterator[Mailbox]:
    """A server that takes mail after STARTTLS and a login only."""
    box = Mailbox()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*tls)
    controller = Controller(
        box,
        hostname="127.0.0.1",
        port=0,
        tls_context=context,
        require_starttls=True,
        auth_required=True,
        authenticator=box.authenticate,
    )
    controller.port = free_port()
    controller.start()
    box.port = controller.port
    try:
        yield box
    finally:
        controller.stop()
