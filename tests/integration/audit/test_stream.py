"""The stream of events: syslog over TLS to a real socket, and JSON lines; each event at least once, in order."""

from __future__ import annotations

import json
import re
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from inkgate.service.audit import chain, keeper, repository, stream, syslog, trail
from inkgate.service.audit.stream import AuditStream, LineTarget, target_of
from inkgate.service.db import work
from inkgate.service.errors import ConfigurationError
from inkgate.service.settings import Audit
from tests.ledger_data import CustomerData
from tests.tls.authority import Authority

HEADER = re.compile(
    rb"<(\d+)>1 (\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z) (\S{1,255}) inkgate (\S{1,128}) (\S{1,32}) "
    rb'\[meta sequenceId="(\d+)"\] \xef\xbb\xbf'
)


@dataclass
class SyslogServer:
    """Receives frames of RFC 5425 and parses them by their lengths. `drop` connections are reset before reading."""

    context: ssl.SSLContext
    drop: int = 0
    received: list[bytes] = field(default_factory=list)
    connections: int = 0
    clients: list[Any] = field(default_factory=list)

    def serve(self, listener: socket.socket) -> None:
        while True:
            try:
                plain, _ = listener.accept()
            except OSError:
                return
            self.connections += 1
            if self.drop:
                self.drop -= 1
                plain.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
                plain.close()
                continue
            try:
                with self.context.wrap_socket(plain, server_side=True) as secure:
                    self.clients.append(secure.getpeercert())
                    data = b""
                    while piece := secure.recv(65536):
                        data += piece
                    self.received += list(frames(data))
            except OSError:
                continue


def frames(data: bytes) -> Iterator[bytes]:
    while data:
        length, _, data = data.partition(b" ")
        assert length.isdigit() and length[:1] != b"0"
        yield data[: int(length)]
        data = data[int(length) :]


@contextmanager
def syslog_server(tmp_path: Path, *, drop: int = 0, clients: bool = False) -> Iterator[tuple[SyslogServer, Audit]]:
    authority = Authority(tmp_path, "syslog-authority")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*authority.issue("localhost"))
    own: dict[str, Path] = {}
    if clients:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(authority.path)
        own = dict(zip(("syslog_cert_file", "syslog_key_file"), authority.issue("inkgate"), strict=True))
    server = SyslogServer(context, drop)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=server.serve, args=(listener,), daemon=True)
        thread.start()
        address = f"localhost:{listener.getsockname()[1]}"
        yield server, Audit(stream="syslog", syslog=address, syslog_ca_file=authority.path, **own)
        listener.shutdown(socket.SHUT_RDWR)
    thread.join(5)


def sender(customer: CustomerData, settings: Audit) -> AuditStream:
    target = target_of(settings)
    assert target is not None
    return AuditStream(customer.engine, target, clock=customer.clock)


async def record(customer: CustomerData, count: int, **detail: Any) -> None:
    async with work.unit_of_work(customer.engine, "console:林", customer.clock) as unit:
        for number in range(count):
            await trail.record(unit, "app.qps", f"应用 {number}", customer.account_id, **detail)


async def rows(customer: CustomerData) -> list[dict[str, Any]]:
    async with work.read_session(customer.engine) as session:
        return [chain.members(row) for row in await repository.chained(session, 1, 10**6)]


async def test_events_arrive_over_tls_in_order(customer: CustomerData, tmp_path: Path) -> None:
    with syslog_server(tmp_path, clients=True) as (server, settings):
        await record(customer, 120)
        await record(customer, 1, note="x" * 1000, **{f"more_{number}": "字" * 500 for number in range(10)})
        sending = sender(customer, settings)
        counts = [await sending.send_batch() for _ in range(3)]
    expected = await rows(customer)
    assert sum(counts) == len(expected) and counts[0] == stream.BATCH and counts[2] == 0
    heads = [HEADER.match(each) for each in server.received]
    assert [int(head[6]) for head in heads if head] == [each["sequence"] for each in expected]
    assert {int(head[1]) for head in heads if head} == {13 * 8 + 5}
    bodies = [json.loads(each[head.end() :]) for each, head in zip(server.received, heads, strict=True) if head]
    assert bodies[:-1] == expected[:-1]
    assert bodies[-1] == expected[-1] | {"detail": {"omitted": "too long for a syslog message"}}
    assert max(len(each) for each in server.received) <= syslog.MAX_MESSAGE
    assert server.clients[0]["subject"] == ((("commonName", "inkgate"),),)


async def test_after_a_reset_the_events_are_sent_again(customer: CustomerData, tmp_path: Path) -> None:
    with syslog_server(tmp_path, drop=2) as (server, settings):
        sending = sender(customer, settings)
        for _ in range(2):
            with pytest.raises(OSError, match=r".*"):
                await sending.send_batch()
        assert server.received == []
        assert await sending.send_batch() == len(await rows(customer)) == len(server.received)
        assert await sending.send_batch() == 0


async def test_a_receiver_with_another_certificate_gets_nothing(customer: CustomerData, tmp_path: Path) -> None:
    with syslog_server(tmp_path) as (server, settings):
        other = tmp_path / "other"
        other.mkdir()
        changed = settings.model_copy(update={"syslog_ca_file": Authority(other, "another").path})
        with pytest.raises(ssl.SSLCertVerificationError):
            await sender(customer, changed).send_batch()
        customer.clock.advance(seconds=stream.LEASE.total_seconds() + 1)
        by_address = settings.model_copy(update={"syslog": settings.syslog.replace("localhost", "127.0.0.1")})
        with pytest.raises(ssl.SSLCertVerificationError):
            await sender(customer, by_address).send_batch()
        assert server.received == []


async def test_one_process_sends_at_a_time(customer: CustomerData, tmp_path: Path) -> None:
    settings = Audit(stream="file", file=tmp_path / "audit.log")
    first, second = sender(customer, settings), sender(customer, settings)
    sent = await first.send_batch()
    await record(customer, 3)
    assert await second.send_batch() == 0
    customer.clock.advance(seconds=stream.LEASE.total_seconds() + 1)
    assert await second.send_batch() == 3
    lines = [json.loads(line)["audit"] for line in (tmp_path / "audit.log").read_text().splitlines()]
    assert lines == await rows(customer) and len(lines) == sent + 3
    assert (tmp_path / "audit.log").stat().st_mode & 0o777 & ~stream.FILE_MODE == 0


async def test_events_that_were_not_sent_are_not_deleted(customer: CustomerData, tmp_path: Path) -> None:
    settings = Audit(stream="file", file=tmp_path / "audit.log", retention_days=180)
    keep = keeper.AuditKeeper(customer.engine, customer.vault, settings, clock=customer.clock)
    customer.clock.advance(days=365)
    await keep.run_round()
    assert (await rows(customer))[0]["sequence"] == 1
    await sender(customer, settings).send_batch()
    await keep.run_round()
    assert {each["action"] for each in await rows(customer)} == {"audit.archive"}


def test_standard_output_gets_lines(capsys: pytest.CaptureFixture[str]) -> None:
    LineTarget().send([{"sequence": 1}, {"sequence": 2}])
    assert capsys.readouterr().out == '{"audit":{"sequence":1}}\n{"audit":{"sequence":2}}\n'


@pytest.mark.parametrize(
    ("settings", "name"),
    [
        ({"stream": "syslog"}, "INKGATE_AUDIT__SYSLOG"),
        ({"stream": "file"}, "INKGATE_AUDIT__FILE"),
        ({"stream": "syslog", "syslog": "x", "syslog_ca_file": Path("/no/such.pem")}, "INKGATE_AUDIT__SYSLOG_CA_FILE"),
    ],
)
def test_a_stream_that_cannot_be_is_refused_at_start(settings: dict[str, Any], name: str) -> None:
    with pytest.raises(ConfigurationError, match=name):
        target_of(Audit(**settings))


@pytest.mark.parametrize("days", [1, 179])
def test_a_short_retention_is_refused(days: int) -> None:
    with pytest.raises(ValueError, match="at least 180 days"):
        Audit(retention_days=days)
    assert Audit(syslog="logs.example:6515").syslog_address == ("logs.example", 6515)
    assert Audit(syslog="logs.example").syslog_address == ("logs.example", syslog.PORT)
    with pytest.raises(ValueError, match="HOST"):
        Audit(syslog="https://logs.example/x")
