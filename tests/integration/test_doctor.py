"""`inkgate doctor` before a start, on a healthy deployment, and on each thing that can be wrong with one."""

from __future__ import annotations

import asyncio
import json
import os
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from urllib.parse import urlsplit

import pytest
import redis
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from inkgate.service import cli
from inkgate.service.accounts import vault as vaults
from inkgate.service.broker.streams.keys import Keys
from inkgate.service.db import engine as databases
from inkgate.service.db import migrate
from inkgate.service.provision import provision
from inkgate.service.settings import Database, Security
from tests.crash.chaos.stack import Gateway
from tests.crash.processes import WorkerHost
from tests.postgres import Postgres
from tests.valkey import Valkey

Report = dict[str, dict[str, object]]


Doctor = Callable[..., tuple[int, Report]]


@pytest.fixture
def doctor(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Doctor:
    """doctor("--gateway", URL, GROUP__NAME=value): exit status, and the findings by name, of several the worst."""
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith("INKGATE_") and "_TEST_" not in name]:
        monkeypatch.delenv(name)

    def call(*arguments: str, **settings: object) -> tuple[int, Report]:
        with monkeypatch.context() as patch:
            for name, value in settings.items():
                patch.setenv(name if name == "TZ" else f"INKGATE_{name}", str(value))
            patch.setattr("sys.argv", ["inkgate", "doctor", "--json", *arguments])
            status = 0
            try:
                cli.main()
            except SystemExit as stop:
                status = int(stop.code or 0)
        findings = json.loads(capsys.readouterr().out)
        return status, {each["what"]: each for each in sorted(findings, key=lambda each: bool(each["remedy"]))}

    return call


def remedies(report: Report) -> set[str]:
    assert all(each["ok"] == (not each["remedy"]) for each in report.values())
    return {name for name, each in report.items() if each["remedy"]}


def test_before_the_first_start_only_the_schema_is_missing(doctor: Doctor) -> None:
    status, report = doctor(SERVER__PORT=0)
    assert status == 1
    assert remedies(report) == {"schema"}
    assert report["schema"]["remedy"] == "Run `inkgate migrate`."


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"DATABASE__URL": "mysql://x/y"}, "database"),
        ({"DATABASE__URL": "postgresql+asyncpg://ink:hunter2@127.0.0.1:1/x", "SECURITY__MASTER_KEY": "x"}, "database"),
        ({"REDIS__URL": "redis://:hunter2@127.0.0.1:1/0"}, "queue"),
        ({"ENGINE__MODEL_DIR": "/nowhere"}, "models"),
        ({"ENGINE__RUNTIME": "stub"}, "models"),
        ({"TELEMETRY__CERTIFICATES": '["/nowhere.pem"]'}, "certificate"),
        ({"WORKER__PROCESSES": 500}, "limits"),
        ({"SECURITY__MASTER_KEY": "short"}, "master key"),
        ({"TZ": "Asia/Beijing"}, "time zone"),
        ({"ENGINE__BF16": "on", "ENGINE__PROFILE": "fast"}, "bfloat16"),
    ],
)
def test_each_thing_that_is_wrong_has_a_remedy(settings: dict[str, object], named: str, doctor: Doctor) -> None:
    status, report = doctor(**{"SERVER__PORT": 0, **settings})
    assert status == 1
    assert named in remedies(report)
    assert "hunter2" not in json.dumps(report)


@pytest.fixture
def deployed(postgres: Postgres, tmp_path: Path) -> dict[str, object]:
    """Settings of a deployment over Postgres whose gateway has an account."""
    url, key_file = postgres.wiped(), tmp_path / "master.key"
    vaults.write(key_file, [vaults.new_key()])
    asyncio.run(_provision(url, key_file))
    return {"DATABASE__URL": url, "SECURITY__MASTER_KEY_FILE": key_file, "REDIS__NAMESPACE": uuid.uuid4().hex[:8]}


async def _provision(url: str, key_file: Path) -> None:
    engine = databases.create(Database(url=url))
    vault = vaults.load(Security(master_key_file=key_file), Database(url=url))
    await provision(engine, vault, 10.0, refused=False)
    await engine.dispose()


def test_a_deployment_is_found_well_and_then_what_breaks(
    deployed: dict[str, object], own_valkey: Valkey, doctor: Doctor
) -> None:
    settings = {**deployed, "REDIS__URL": own_valkey.url}
    host = WorkerHost(own_valkey.url, str(settings["REDIS__NAMESPACE"]), 1)
    gateway = Gateway({**settings, "TELEMETRY__LOG_LEVEL": "error"})
    address = f"http://127.0.0.1:{gateway.port}"
    gateway.start()
    try:
        asyncio.run(host.ready())
        asyncio.run(gateway.ready())
        status, report = doctor("--gateway", address, **settings)
        assert (status, remedies(report)) == (0, set())
        assert report["gateway"]["found"] == f"{address} is ready"
        assert str(report["workers"]["found"]).startswith("1 alive")
        assert report["master key"]["found"] == "opens the stored secrets"

        other = {**settings, "SECURITY__MASTER_KEY": "A" * 43 + "="}
        other.pop("SECURITY__MASTER_KEY_FILE")
        assert remedies(doctor("--gateway", address, **other)[1]) == {"master key"}

        host.end()
        with redis.Redis.from_url(own_valkey.url) as client:
            client.config_set("maxmemory-policy", "allkeys-lru")
        status, report = doctor("--gateway", address, **settings)
        assert status == 1
        assert {"workers", "queue"} <= remedies(report)
    finally:
        gateway.kill()
        host.end()
    _, report = doctor("--gateway", address, **settings)
    assert report["gateway"]["found"] == f"{address}: nothing listens there"


def test_an_old_queue_is_reported(deployed: dict[str, object], own_valkey: Valkey, doctor: Doctor) -> None:
    with redis.Redis.from_url(own_valkey.url) as client:
        stream = Keys(str(deployed["REDIS__NAMESPACE"]), "balanced").stream("general")
        client.xadd(stream, {"call": "c", "n": 0}, id="1000-0")  # waiting since 1970
    status, report = doctor(SERVER__PORT=0, REDIS__URL=own_valkey.url, **deployed)
    assert status == 1
    assert {"waiting", "workers"} <= remedies(report)


def test_a_worker_is_not_asked_for_a_database(own_valkey: Valkey, doctor: Doctor, tmp_path: Path) -> None:
    _, report = doctor(SERVER__PORT=0, REDIS__URL=own_valkey.url)
    assert remedies(report) == {"workers"}
    assert "needs none" in str(report["database"]["found"])
    assert not list(tmp_path.glob("inkgate.db*"))


@pytest.mark.parametrize(
    ("revision", "remedy"), [("0001", "Run `inkgate migrate`."), ("9999", "Upgrade this part as well.")]
)
def test_a_schema_of_another_release_is_reported(
    revision: str, remedy: str, deployed: dict[str, object], postgres: Postgres, doctor: Doctor
) -> None:
    url = str(deployed["DATABASE__URL"])
    postgres.execute(f"UPDATE alembic_version SET version_num = '{revision}'", urlsplit(url).path.strip("/"))
    try:
        _, report = doctor(SERVER__PORT=0, **deployed)
    finally:
        postgres.execute(f"UPDATE alembic_version SET version_num = '{migrate.head()}'", urlsplit(url).path.strip("/"))
    assert report["schema"]["remedy"] == remedy


def test_a_meter_in_the_future_is_reported(deployed: dict[str, object], postgres: Postgres, doctor: Doctor) -> None:
    database = urlsplit(str(deployed["DATABASE__URL"])).path.strip("/")
    assert "meters" not in doctor(SERVER__PORT=0, **deployed)[1]
    postgres.execute("UPDATE meter SET settled_at = settled_at + interval '40 days'", database)
    try:
        status, report = doctor(SERVER__PORT=0, **deployed)
    finally:
        postgres.execute("UPDATE meter SET settled_at = settled_at - interval '40 days'", database)
    assert (status, "repair-clock" in str(report["meters"]["remedy"])) == (1, True)


@pytest.mark.parametrize(("days", "well"), [(60, True), (5, False), (-1, False)])
def test_a_certificate_that_expires_soon_is_reported(days: int, well: bool, tmp_path: Path, doctor: Doctor) -> None:
    now, key = datetime.now(UTC), ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "ocr.example")])
    made = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    made = made.serial_number(1).not_valid_before(now - timedelta(days=9)).not_valid_after(now + timedelta(days=days))
    (tmp_path / "tls.crt").write_bytes(made.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
    files = json.dumps([str(tmp_path / "tls.crt")])
    _, report = doctor(SERVER__PORT=0, TELEMETRY__CERTIFICATES=files)
    assert report["certificate"]["ok"] == well


def test_another_program_on_the_port_is_not_taken_for_a_gateway(doctor: Doctor) -> None:
    class OtherProgram(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.send_error(404)

        do_GET = do_POST

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), OtherProgram)
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        _, report = doctor("--gateway", f"http://127.0.0.1:{server.server_address[1]}")
    finally:
        server.shutdown()
        server.server_close()
    assert "gateway" in remedies(report)
