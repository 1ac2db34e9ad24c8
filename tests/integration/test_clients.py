"""Every client that we publish, against a running service: the Python package and the examples, plain and sealed."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import inkgate_client as ink
import pytest

from inkgate.service.samples import sample

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples"
HEADLINE = "图书馆开放通知"
VECTORS = ROOT / "tests" / "unit" / "sealed" / "vectors" / "bouncycastle.json"


@pytest.fixture
def images(tmp_path: Path) -> dict[str, str]:
    """The samples as files."""
    files = {}
    for name in ("general", "idcard", "plate", "licence"):
        files[name] = str(tmp_path / f"{name}.jpg")
        Path(files[name]).write_bytes(sample(name))
    return files


def run(command: list[str], keys: dict[str, str], **more: Any) -> str:
    """What a program prints, with the sandbox's keys in its environment."""
    environment = {**os.environ, **keys, "no_proxy": "127.0.0.1", "NO_PROXY": "127.0.0.1"}
    ran = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=180, check=False, **more)
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


@pytest.mark.parametrize("sealed", [False, True], ids=["plain", "sealed"])
def test_python_client(sandbox, sealed: bool):
    keys = sandbox.keys
    enckey = keys["ENCKEY"] if sealed else None
    with ink.Client(keys["BASE_URL"], ak=keys["AK"], sk=keys["SK"], appkey=keys["APPKEY"], enckey=enckey) as client:
        page, failure = client.general(sample("general"), b"no image")
        (card,) = client.idcard(sample("idcard"))
        (plates,) = client.plate(sample("plate"))
        licence = client.licence(sample("licence"))
    assert isinstance(page, ink.Page) and page.lines[0].text == HEADLINE
    assert failure == ink.Failure(400012, failure.message)
    assert isinstance(card, ink.IdCard) and card.idn == "330106199208160021"
    assert isinstance(plates, tuple) and plates[0].number == "浙A8K26P"
    assert licence.is_licence and licence.union_id == "91330106MA2H1K7Q8M"


async def test_python_client_async(sandbox):
    keys = sandbox.keys
    async with ink.AsyncClient(keys["BASE_URL"], ak=keys["AK"], sk=keys["SK"], appkey=keys["APPKEY"]) as client:
        (page,) = await client.general(sample("general"))
    assert isinstance(page, ink.Page) and page.lines[0].text == HEADLINE


@pytest.mark.parametrize(
    ("appkey", "kind"),
    [("APPKEY_EXHAUSTED", ink.QuotaExhausted), ("APPKEY_NOTOPENED", ink.Forbidden), ("unknown", ink.Unauthorised)],
)
def test_python_client_raises_one_error_per_refusal(sandbox, appkey: str, kind: type[ink.ApiError]):
    keys = sandbox.keys
    appkey = keys.get(appkey, appkey)
    with (
        ink.Client(keys["BASE_URL"], ak=keys["AK"], sk=keys["SK"], appkey=appkey) as client,
        pytest.raises(kind),
    ):
        client.general(sample("plate"))


@pytest.mark.parametrize("sealed", [False, True], ids=["plain", "sealed"])
def test_python_example(sandbox, images, sealed: bool):
    keys = dict(sandbox.keys)
    if not sealed:
        keys["ENCKEY"] = ""
    keys["PYTHONPATH"] = str(ROOT / "clients" / "python" / "src")
    said = run([sys.executable, str(EXAMPLES / "python" / "ocr.py"), "general", images["general"]], keys)
    assert HEADLINE in said


def test_minimal_python_example(sandbox, images):
    said = run([sys.executable, str(EXAMPLES / "python" / "minimal.py"), images["general"]], sandbox.keys)
    assert said.splitlines()[0] == HEADLINE


@pytest.mark.parametrize("capability", ["general", "licence"])
def test_curl_example(sandbox, images, capability: str):
    answer = json.loads(run([str(EXAMPLES / "curl" / "ocr.sh"), capability, images[capability]], sandbox.keys))
    assert answer["statusCode"] == 0


def bouncycastle() -> str | None:
    jar = os.environ.get("BCPROV", "/usr/share/java/bcprov.jar")
    return jar if shutil.which("javac") and Path(jar).exists() else None


@pytest.mark.skipif(bouncycastle() is None, reason="needs a JDK and BouncyCastle's bcprov jar (BCPROV=…)")
def test_java_example(sandbox, images, tmp_path: Path):
    jar = bouncycastle()
    assert jar
    sources = [str(file) for file in (EXAMPLES / "java").glob("*.java")]
    run(["javac", "-encoding", "UTF-8", "-cp", jar, "-d", str(tmp_path), *sources], {})
    java = ["java", "-Dfile.encoding=UTF-8", "-cp", f"{jar}{os.pathsep}{tmp_path}", "Ocr"]
    plain = json.loads(run([*java, "general", images["general"]], sandbox.keys))
    sealed = json.loads(run([*java, "general", images["general"], "--sealed"], sandbox.keys))
    assert plain["returnObj"][0]["detail"][0]["text"] == HEADLINE
    assert sealed["returnObj"] == plain["returnObj"]
    wrong = {**sandbox.keys, "ENCKEY": json.loads(VECTORS.read_text("utf-8"))["public_key"]}
    assert json.loads(run([*java, "general", images["general"], "--sealed"], wrong))["statusCode"] == 40019


class Forger(BaseHTTPRequestHandler):
    """Answers every call with a success in plain."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        body = b'{"statusCode":0,"message":{"success":1,"fail":0},"returnObj":[]}'
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None: ...


@pytest.mark.skipif(bouncycastle() is None, reason="needs a JDK and BouncyCastle's bcprov jar (BCPROV=…)")
def test_java_example_refuses_a_success_in_plain(images, tmp_path: Path):
    jar = bouncycastle()
    assert jar
    sources = [str(file) for file in (EXAMPLES / "java").glob("*.java")]
    run(["javac", "-encoding", "UTF-8", "-cp", jar, "-d", str(tmp_path), *sources], {})
    server = ThreadingHTTPServer(("127.0.0.1", 0), Forger)
    Thread(target=server.serve_forever, daemon=True).start()
    enckey = json.loads(VECTORS.read_text("utf-8"))["public_key"]
    keys = {"BASE_URL": f"http://127.0.0.1:{server.server_port}", "AK": "a", "SK": "s", "APPKEY": "k", "ENCKEY": enckey}
    java = ["java", "-cp", f"{jar}{os.pathsep}{tmp_path}", "Ocr", "general", images["general"]]
    assert json.loads(run(java, keys))["statusCode"] == 0
    ran = subprocess.run([*java, "--sealed"], env={**os.environ, **keys}, capture_output=True, text=True, timeout=180)
    server.shutdown()
    assert (ran.returncode, ran.stdout) == (1, "") and "neither" in ran.stderr


@pytest.mark.skipif(shutil.which("go") is None, reason="needs a Go toolchain")
def test_go_example(sandbox, images, tmp_path: Path):
    binary = str(tmp_path / "ocr")
    run(["go", "build", "-o", binary, "."], {"GOFLAGS": "-mod=mod"}, cwd=EXAMPLES / "go")
    answer = json.loads(run([binary, "general", images["general"]], sandbox.keys))
    assert answer["returnObj"][0]["detail"][0]["text"] == HEADLINE
