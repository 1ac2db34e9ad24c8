"""Output and exit status of the command line, for correct and incorrect use."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from inkgate.service.cli import COMMANDS

ROOT = Path(__file__).parents[3]


def run(*arguments):
    command = [sys.executable, "-m", "inkgate.service.cli", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)


def test_help_lists_every_command_and_imports_none():
    result = run("--help")
    assert result.returncode == 0
    for name in COMMANDS:
        assert f" {name} " in result.stdout
    probe = (
        "import sys, inkgate.service.cli as c; c.app(['--help'], standalone_mode=False); print(*sys.modules, sep='\\n')"
    )
    loaded = subprocess.run([sys.executable, "-c", probe], cwd=ROOT, capture_output=True, text=True, timeout=60).stdout
    assert "sqlalchemy" not in loaded.split() and "fastapi" not in loaded.split()


@pytest.mark.parametrize(
    ("arguments", "hint"),
    [
        (("sign", "/nowhere.json", "--ak", "a", "--sk", "b", "--appkey", "c"), "no such file"),
        (("ocr", "/nowhere.png"), "no such file"),
        (("nosuch",), "No such command"),
        (("serve", "--port", "99999"), "INKGATE_SERVER__PORT"),
    ],
)
def test_misuse_is_one_line_and_status_2(arguments, hint):
    result = run(*arguments)
    assert result.returncode == 2
    assert hint in result.stderr
    assert "Traceback" not in result.stderr


def test_an_invalid_setting_is_named(monkeypatch):
    monkeypatch.setenv("INKGATE_LIMITS__BODY_BYTES", "many")
    result = run("serve")
    assert result.returncode == 2
    assert "INKGATE_LIMITS__BODY_BYTES" in result.stderr and "Traceback" not in result.stderr


@pytest.mark.parametrize("command", ["gateway", "console"])
def test_an_unreachable_database_is_one_line_and_status_1(monkeypatch, command):
    monkeypatch.setenv("INKGATE_DATABASE__URL", "postgresql+asyncpg://ink:hidden@127.0.0.1:1/ink")
    monkeypatch.setenv("INKGATE_REDIS__URL", "redis://127.0.0.1:1/0")
    monkeypatch.setenv("INKGATE_CONSOLE__GATEWAY_URL", "http://127.0.0.1:1")
    for group in ("SERVER", "CONSOLE"):  # the usual ports may be taken, by `make demo` for one
        monkeypatch.setenv(f"INKGATE_{group}__PORT", "0")
    result = run(command)
    assert result.returncode == 1
    assert "INKGATE_DATABASE__URL" in result.stderr
    assert "Traceback" not in result.stderr and "hidden" not in result.stderr


def test_sign_prints_a_curl_that_the_server_would_accept(tmp_path):
    import shlex

    from inkgate.service.eop.header import parse
    from inkgate.service.eop.signature import verify

    body = tmp_path / "body.json"
    body.write_bytes(json.dumps({"data": []}).encode())
    result = run("sign", str(body), "--ak", "a" * 32, "--sk", "s" * 32, "--appkey", "k" * 32)
    words = shlex.split(result.stdout)
    headers = dict(words[n + 1].split(": ", 1) for n, word in enumerate(words) if word == "-H")
    low = {name.lower(): value for name, value in headers.items()}
    import hashlib

    digest = hashlib.sha256(body.read_bytes()).hexdigest()
    assert verify(parse(headers["Eop-Authorization"]), b"s" * 32, low, "", digest)
    assert words[-1] == f"@{body}"
