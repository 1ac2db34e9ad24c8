"""A capability of another distribution in real processes: the package of docs/howto/add-a-capability.md, tests/outside.

Installed beside the service it is called, metered, sold, shown and described, without a line of the service changed.
"""

from __future__ import annotations

import asyncio
import base64
import json
import os
import re
import subprocess
import sys
import time
import tomllib
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from inkgate.service import tables  # noqa: F401 - foreign keys need every table
from inkgate.service.accounts import service as accounts
from inkgate.service.accounts.vault import Vault, new_key
from inkgate.service.db import engine as engines
from inkgate.service.db import work
from inkgate.service.eop.signing import call_headers
from inkgate.service.metering import ledger_reader
from inkgate.service.metering.service import packs_of
from inkgate.service.settings import Database
from inkgate.service.users import service as users
from tests.console.console_fixture import PASSWORD, cheap_passwords
from tests.http_client import local_client

ROOT = Path(__file__).resolve().parents[2]
OUTSIDE = ROOT / "tests" / "outside"
PAGE = ROOT / "docs" / "howto" / "add-a-capability.md"
SAMPLE = OUTSIDE / "inkgate_qr" / "sample.png"
TEXT = "https://example.org/inkgate"
PATH = "/v1/aiop/api/qrexample001/qr/v1/image.json"
TITLE, TITLE_EN = "二维码识别", "QR code"
START_SECONDS = 240  # the machine of the tests may be busy, and every network is loaded

pytestmark = pytest.mark.timeout(900)


@dataclass
class Installation:
    """A site with the distribution installed: commands and servers run there, with a database of their own."""

    folder: Path
    environment: dict[str, str]
    base_url: str = ""
    keys: dict[str, str] = field(default_factory=dict)

    def inkgate(self, *arguments: str) -> str:
        """What a command prints on standard output; it must succeed."""
        done = self.run(*arguments)
        assert done.returncode == 0, f"{arguments}: {done.stderr}"
        return done.stdout

    def run(self, *arguments: str, **changed: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "inkgate.service.cli", *arguments]
        env = {**self.environment, **changed}
        return subprocess.run(command, cwd=self.folder, env=env, capture_output=True, text=True, timeout=START_SECONDS)

    def call(self, *images: bytes) -> dict[str, object]:
        """One signed call."""
        body = json.dumps({"data": [base64.b64encode(image).decode() for image in images]}).encode()
        headers = call_headers(self.keys["AK"], self.keys["SK"].encode(), self.keys["APPKEY"], body)
        request = urllib.request.Request(self.base_url + PATH, body, headers)
        with urllib.request.urlopen(request, timeout=120) as response:
            answer: dict[str, object] = json.load(response)
        return answer

    def get(self, path: str) -> str:
        with urllib.request.urlopen(self.base_url + path, timeout=60) as response:
            text: str = response.read().decode()
        return text


def install(site: Path) -> None:
    """What pip leaves of the distribution's pyproject.toml: its name, and its entry points."""
    project = tomllib.loads((OUTSIDE / "pyproject.toml").read_text("utf-8"))["project"]
    info = site / f"{project['name'].replace('-', '_')}-{project['version']}.dist-info"
    info.mkdir(parents=True)
    head = ("Metadata-Version: 2.1", f"Name: {project['name']}", f"Version: {project['version']}")
    (info / "METADATA").write_text("\n".join(head) + "\n")
    groups = (
        f"[{group}]\n" + "".join(f"{name} = {value}\n" for name, value in entries.items())
        for group, entries in project["entry-points"].items()
    )
    (info / "entry_points.txt").write_text("\n".join(groups))


async def make_customer(database: str, vault: Vault) -> dict[str, str]:
    """An account with a key and an app, and a user of the console who may sign in as `customer`."""
    engine = engines.create(Database(url=database))
    try:
        hashed = await cheap_passwords().hash(PASSWORD)
        async with work.unit_of_work(engine, "test") as unit:
            account = await accounts.create_account(unit, "商户")
            pair = await accounts.create_access_key(unit, vault, account.id)
            app = await accounts.create_app(unit, vault, account.id, "scanner")
            await users.create_user(unit, "customer", hashed, account_id=account.id)
        return {"ACCOUNT": account.id, "AK": pair.ak, "SK": pair.sk, "APPKEY": app.appkey}
    finally:
        await engine.dispose()


async def settled(database: str, account_id: str) -> list[tuple[str, int, int]]:
    """Capability, units used and units bought of every pack; the ledger must agree with its lines."""
    engine = engines.create(Database(url=database))
    try:
        async with work.snapshot_session(engine) as session:
            assert await ledger_reader.verify_database(session, account_id) == []
            return [(each.capability, each.used, each.total) for each in await packs_of(session, account_id)]
    finally:
        await engine.dispose()


@pytest.fixture(scope="module")
def outside(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """The service with the distribution installed, an account with an app, and a pack that was ordered."""
    folder = tmp_path_factory.mktemp("outside")
    install(folder / "site")
    database, key = f"sqlite+aiosqlite:///{folder}/ink.db", new_key()
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join((str(folder / "site"), str(OUTSIDE), str(ROOT / "src"))),
        "INKGATE_DATABASE__URL": database,
        "INKGATE_SECURITY__MASTER_KEY": base64.b64encode(key).decode(),
        "INKGATE_ORDERS__APPROVAL": "immediate",
        "INKGATE_WORKER__PROCESSES": "1",
        "INKGATE_TELEMETRY__LOG_FORMAT": "text",
        "COLUMNS": "200",
    }
    site = Installation(folder, environment)
    site.inkgate("migrate")
    site.keys = asyncio.run(make_customer(database, Vault([key])))
    site.inkgate("app", "open", "scanner", "qr")
    assert "YUAN=99.00" in site.inkgate("order", "place", "商户", "qr-10k")
    with serving(site):
        yield site


@contextmanager
def serving(site: Installation) -> Iterator[None]:
    """`inkgate serve` on a free port while the block runs."""
    log = site.folder / "log"
    command = [sys.executable, "-m", "inkgate.service.cli", "serve", "--port", "0"]
    with log.open("wb") as sink:
        process = subprocess.Popen(command, cwd=site.folder, env=site.environment, stdout=sink, stderr=sink)
    try:
        give_up = time.monotonic() + START_SECONDS
        while not (found := re.search(r"is ready at (http\S+)", log.read_text())):
            assert process.poll() is None and time.monotonic() < give_up, log.read_text()
            time.sleep(0.1)
        site.base_url = found[1]
        yield
    finally:
        process.terminate()
        process.wait(60)
    assert "Traceback" not in log.read_text(), log.read_text()


def test_it_is_sold_called_and_settled(outside: Installation) -> None:
    catalogue = json.loads(outside.inkgate("order", "catalogue", "--json"))
    assert [each["product"] for each in catalogue if each["capability"] == "qr"] == ["qr-10k", "qr-100k"]
    assert {each["capability"] for each in catalogue} == {"general", "idcard", "plate", "qr"}
    answer = outside.call(SAMPLE.read_bytes(), (ROOT / "service/samples/plate.jpg").read_bytes(), b"no image")
    assert answer["message"] == {"success": 2, "fail": 1}
    found, nothing, failed = answer["returnObj"]  # type: ignore[misc]
    assert found["count"] == 1 and found["detail"][0]["text"] == TEXT and len(found["detail"][0]["box"]) == 8
    assert nothing == {"count": 0, "detail": []}
    assert failed == {"err_code": 4009, "err_msg": "请求文件格式不合法，仅支持 jpeg/png/jpg/bmp 格式"}
    packs = asyncio.run(settled(outside.environment["INKGATE_DATABASE__URL"], outside.keys["ACCOUNT"]))
    assert packs == [("qr", 3, 10_000)]
    assert 'inkgate_units_settled_total{capability="qr"} 3.0' in outside.get("/metrics")
    assert 'inkgate_requests_total{capability="qr",code="0",outcome="partial"} 1.0' in outside.get("/metrics")
    assert 'inkgate_images_total{capability="qr",outcome="rejected"} 1.0' in outside.get("/metrics")


def test_it_is_described(outside: Installation) -> None:
    document = json.loads(outside.get("/openapi.json"))
    operation = document["paths"][PATH]["post"]
    assert (operation["operationId"], operation["summary"]) == ("qr", TITLE)
    media = operation["responses"]["200"]["content"]["application/json"]
    assert media["example"]["returnObj"] == [{"count": 0, "detail": [{"text": "", "box": [0] * 8}]}]
    page = outside.get("/docs")
    assert TITLE in page and PATH in page


async def test_it_is_in_the_console(outside: Installation) -> None:
    async with local_client(base_url=outside.base_url + "/console", follow_redirects=True, timeout=120) as browser:

        async def token(page: str) -> str:
            found = re.search(r'name="csrf" value="([^"]+)"', (await browser.get(page)).text)
            assert found, page
            return found[1]

        async def see(page: str) -> str:
            answer = await browser.get(page)
            assert answer.status_code == 200, page
            return answer.text

        login = {"csrf": await token("/login"), "login": "customer", "password": PASSWORD}
        assert (await browser.post("/login", data=login)).status_code == 200
        assert TITLE in await see("/capabilities") and TITLE in await see("/reference")
        assert TITLE in await see("/capabilities/qr") and "1万次" in await see("/buy/qr")
        assert "¥690.00" in await see("/buy/qr")
        guide = await see("/reference/qr")
        assert PATH in guide and "AI_OP_4009" in guide
        form = await see("/try?capability=qr")
        app = re.search(r'<option value="([0-9a-f-]+)" selected>scanner</option>', form)
        once = re.search(r'name="once" value="([^"]+)"', form)
        assert app and once and TITLE in form
        sample = await browser.get("/samples/qr.jpg")
        assert (sample.headers["content-type"], sample.content) == ("image/png", SAMPLE.read_bytes())
        call = {"csrf": await token("/try?capability=qr"), "app": app[1], "sample": "1", "once": once[1]}
        tried = (await browser.post("/try/qr", data=call)).text
        assert tried.count(TEXT) >= 2 and "<polygon" in tried
        english = {"csrf": await token("/try"), "language": "en", "next": "/capabilities"}
        assert TITLE_EN in (await browser.post("/preferences", data=english)).text


def test_it_is_read_from_the_command_line(outside: Installation) -> None:
    assert outside.inkgate("ocr", str(SAMPLE), "--capability", "qr").strip() == TEXT


KNOWN = """
import json
from typer.testing import CliRunner
from inkgate.service.broker.streams.keys import Keys
from inkgate.service.cli import app
from inkgate.service.settings import load

def said(*arguments):
    return " ".join(CliRunner().invoke(app, arguments, env={"AK": "a", "SK": "s", "APPKEY": "k"}).output.split())

print(json.dumps({
    "stream": Keys("ns", "p").streams()[-1],
    "worker": load().worker.capabilities,
    "sign": said("sign", "body.json", "--capability", "qr"),
    "open": said("app", "open", "--help"),
    "grant": said("pack", "grant", "--help"),
}))
"""


def test_queue_settings_and_commands_know_it(outside: Installation) -> None:
    (outside.folder / "body.json").write_text("{}")
    env = {**outside.environment, "INKGATE_WORKER__CAPABILITIES": '["general","qr"]'}
    done = subprocess.run([sys.executable, "-c", KNOWN], env=env, capture_output=True, text=True, cwd=outside.folder)
    assert done.returncode == 0, done.stderr
    known = json.loads(done.stdout)
    assert (known["stream"], known["worker"]) == ("{ns}:q:qr:p", ["general", "qr"])
    assert PATH in known["sign"]
    assert "general, idcard, plate, licence, qr; none: all." in known["open"]
    assert "general, idcard, plate or qr." in known["grant"]
    refused = outside.run("migrate", INKGATE_WORKER__CAPABILITIES='["qr","braille"]')
    assert refused.returncode == 2 and "no capability 'braille' is installed" in refused.stderr


def test_one_without_a_reader_ends_the_start(outside: Installation, tmp_path: Path) -> None:
    """The capability's entry point alone: what its distribution forgot is said before the first call."""
    install(tmp_path)
    (points,) = tmp_path.glob("*.dist-info/entry_points.txt")
    points.write_text(points.read_text().partition("[inkgate.readers]")[0])
    path = os.pathsep.join((str(tmp_path), str(OUTSIDE), str(ROOT / "src")))
    done = outside.run("serve", "--port", "0", PYTHONPATH=path)
    assert done.returncode == 2
    assert "no reader is installed for qr" in done.stderr and "inkgate.readers" in done.stderr


def test_the_page_shows_these_very_files() -> None:
    page = PAGE.read_text("utf-8")
    for file in ("pyproject.toml", "inkgate_qr/capability.py", "inkgate_qr/reader.py"):
        assert f"\n{(OUTSIDE / file).read_text('utf-8')}```\n" in page, file
