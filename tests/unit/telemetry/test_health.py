"""Health: startup, liveness and readiness, and the probe server."""

from __future__ import annotations

import asyncio
import json
import urllib.error
import urllib.request
from collections.abc import Iterator

import pytest

from inkgate.service.telemetry.health import Health
from inkgate.service.telemetry.metrics import Metrics
from inkgate.service.telemetry.probe_server import ProbeServer


async def fine() -> None:
    pass


async def refuses() -> None:
    raise ConnectionRefusedError("postgresql://ink:hunter2@db")


async def hangs() -> None:
    await asyncio.sleep(60)


async def test_ready_needs_start_and_every_check() -> None:
    health = Health({"database": fine})
    assert not (await health.ready()).ok
    health.mark_started()
    assert (await health.ready()).ok
    health.mark_draining()
    report = await health.ready()
    assert (report.ok, report.parts["draining"], report.http_status) == (False, "shutting down", 503)
    assert health.live().ok
    assert health.startup().ok


async def test_a_failing_or_hanging_check_is_reported_without_its_text() -> None:
    health = Health({"database": refuses, "redis": hangs}, timeout=0.05)
    health.mark_started()
    report = await health.ready()
    assert report.parts == {
        "started": "ok",
        "draining": "ok",
        "database": "ConnectionRefusedError",
        "redis": "no answer in 0.05 s",
    }
    assert health.live().ok


@pytest.fixture
def health() -> Health:
    return Health({"redis": fine})


@pytest.fixture
def server(health: Health) -> Iterator[ProbeServer]:
    server = ProbeServer(health, Metrics("worker", "1"), "127.0.0.1", 0)
    server.start()
    yield server
    server.close()


def get(server: ProbeServer, path: str) -> tuple[int, bytes]:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{server.port}{path}", timeout=5) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()


def test_the_probe_server_answers_each_probe(server: ProbeServer, health: Health) -> None:
    assert get(server, "/livez")[0] == 200
    assert get(server, "/startupz")[0] == 503
    assert get(server, "/readyz")[0] == 503
    health.mark_started()
    assert get(server, "/startupz")[0] == 200
    status, body = get(server, "/readyz")
    assert (status, json.loads(body)["parts"]["redis"]) == (200, "ok")
    assert b"inkgate_build_info{" in get(server, "/metrics")[1]
    assert get(server, "/secrets")[0] == 404
