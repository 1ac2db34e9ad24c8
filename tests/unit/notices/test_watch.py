"""Workers and certificates as conditions."""

from __future__ import annotations

import asyncio
import ssl
from datetime import timedelta
from pathlib import Path

import pytest

from inkgate.service.notices.watch import CertificateWatch, FleetWatch
from tests.tls.authority import Authority


async def test_workers_are_down_after_the_grace() -> None:
    alive, now = [2], [1000.0]

    async def count() -> int:
        if alive[0] < 0:
            raise OSError("the queue does not answer")
        return alive[0]

    watch = FleetWatch(count, 120.0, clock=lambda: now[0])
    assert await watch.check() == []
    alive[0] = 0
    assert await watch.check() is None
    now[0] += 119
    assert await watch.check() is None
    now[0] += 1
    [condition] = await watch.check() or []
    assert (condition.key, condition.params) == ("workers_down", {"seconds": 120})
    alive[0] = -1
    with pytest.raises(OSError, match="queue"):
        await watch.check()
    alive[0] = 1
    assert await watch.check() == []
    alive[0] = 0
    assert await watch.check() is None
    now[0] += 100_000
    assert await watch.check() is None, "there was no check meanwhile: another process may have seen workers"


async def test_certificates_of_files_and_servers(tmp_path: Path) -> None:
    ending, lasting = (
        Authority(tmp_path, "ending", timedelta(days=5)),
        Authority(tmp_path, "lasting", timedelta(days=90)),
    )
    certificate, key = ending.issue("soon.example")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)

    async def ignore(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    server = await asyncio.start_server(ignore, "127.0.0.1", 0, ssl=context)
    host = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
    files = (lasting.path, ending.path, tmp_path / "missing.pem")
    async with server:
        found = await CertificateWatch(files, (host, "127.0.0.1:1"), 21).check()
    assert found is not None
    assert [each.params["name"] for each in found] == [str(ending.path), host]
    assert len({each.key for each in found}) == 2 and all(len(each.key) <= 160 for each in found)
    assert await CertificateWatch(files, (), 3).check() == []
