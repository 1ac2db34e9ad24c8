"""The chaos run of an evidence pack: a temporary service is killed, keeps its promises, and leaves nothing behind."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from sqlalchemy import text

from inkgate.service.attest.chaos.record import FILE, contradictions
from inkgate.service.cli.attest_chaos import Wanted, chaos_part
from inkgate.service.db import engine as engines
from inkgate.service.db.scratch import PREFIX
from inkgate.service.settings import Database, Settings
from tests.postgres import Postgres

SECONDS = 15.0
PARENT = """
import subprocess, sys, os, time
command = [sys.executable, "-m", "inkgate.service.cli.temporary", str(os.getpid())]
print(subprocess.Popen(command).pid, flush=True)
time.sleep(600)
"""


def settings() -> Settings:
    return Settings(engine={"runtime": "stub", "stub_ms": 20})


def own_children() -> set[int]:
    return {each.pid for each in psutil.Process().children(recursive=True)}


def check(part_file: bytes, state: str, reason: str) -> None:
    document = json.loads(part_file)
    assert (state, reason) == ("passed", ""), document["promises"]
    assert list(contradictions(document, state)) == []
    assert {each["what"] for each in document["kills"]} == {"worker", "all workers", "gateway"}
    assert all(each["processes"] for each in document["kills"])


def test_a_temporary_service_is_killed_and_keeps_its_promises(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    before = own_children()
    part = asyncio.run(chaos_part(settings(), Wanted(SECONDS)))
    check(part.files[FILE], part.state, part.reason)
    assert part.facts["units_in_ledger"] == part.facts["units_expected"] > 0
    assert own_children() <= before and list(tmp_path.iterdir()) == []


def test_on_servers_of_the_operator_its_database_is_gone_afterwards(postgres: Postgres, valkey_server: str) -> None:
    url = postgres.wiped()
    part = asyncio.run(chaos_part(settings(), Wanted(SECONDS, url, valkey_server)))
    check(part.files[FILE], part.state, part.reason)
    assert json.loads(part.files[FILE])["answers_outlive_the_gateway"] is True

    async def databases() -> list[str]:
        engine = engines.create(Database(url=url))
        async with engine.connect() as connection:
            found = await connection.scalars(text(f"SELECT datname FROM pg_database WHERE datname LIKE '{PREFIX}%'"))
        await engine.dispose()
        return list(found)

    assert asyncio.run(databases()) == []


def test_it_ends_with_the_process_that_started_it(tmp_path: Path) -> None:
    environment = {**os.environ, "INKGATE_DATABASE__URL": f"sqlite+aiosqlite:///{tmp_path}/x.db"}
    environment |= {"INKGATE_ENGINE__RUNTIME": "stub", "INKGATE_SERVER__PORT": "0"}
    parent = subprocess.Popen([sys.executable, "-c", PARENT], stdout=subprocess.PIPE, env=environment)
    assert parent.stdout is not None
    child = psutil.Process(int(parent.stdout.readline()))
    give_up = time.monotonic() + 60
    while not (tmp_path / "x.db").exists() and time.monotonic() < give_up:
        time.sleep(0.1)
    assert child.is_running() and child.status() != psutil.STATUS_ZOMBIE
    parent.kill()
    parent.wait()
    psutil.wait_procs([child], timeout=20)
    assert not child.is_running() or child.status() == psutil.STATUS_ZOMBIE
