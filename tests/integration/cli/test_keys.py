"""The change of cipher and master key on the command line, with keys from a program."""

from __future__ import annotations

import base64
import json
import sqlite3
import sys
from pathlib import Path

import pytest

from inkgate.service.accounts.vault import key_id, new_key
from tests.integration.cli.test_commands import run


def heads(database: Path) -> set[str]:
    """Cipher and key id of every stored secret, as hex."""
    with sqlite3.connect(database) as connection:
        rows = connection.execute("SELECT sealed_secret FROM access_key UNION SELECT sealed_secret FROM app").fetchall()
    return {row[0][:9].hex() for row in rows}


def test_secrets_are_converted_to_sm4_and_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    database, printed = tmp_path / "ink.db", tmp_path / "printed"
    key, newer = new_key(), new_key()

    def give(*keys: bytes) -> None:
        printed.write_text("".join(base64.b64encode(each).decode() + "\n" for each in keys))

    program = [sys.executable, "-c", f"print(open({str(printed)!r}).read())"]
    monkeypatch.setenv("INKGATE_DATABASE__URL", f"sqlite+aiosqlite:///{database}")
    monkeypatch.setenv("INKGATE_SECURITY__MASTER_KEY_COMMAND", json.dumps(program))
    give(key)
    assert run("migrate").returncode == 0
    made = run("account", "create", "main")
    assert made.returncode == 0, made.stderr
    assert run("account", "key-create", "main").returncode == 0
    assert run("app", "create", "main", "scan").returncode == 0
    assert heads(database) == {"01" + key_id(key).hex()}
    monkeypatch.setenv("INKGATE_SECURITY__CIPHER", "sm4-gcm")
    give(newer, key)
    done = run("keys", "reseal")
    assert (done.returncode, heads(database)) == (0, {"02" + key_id(newer).hex()}), done.stderr
    assert run("keys", "reseal").stdout == "0 secrets sealed again\n"
    give(newer)
    monkeypatch.setenv("INKGATE_SECURITY__CIPHER", "aes-256-gcm")
    assert run("keys", "reseal").returncode == 0
    assert heads(database) == {"01" + key_id(newer).hex()}
    for refused in (run("keys", "add"), run("keys", "reseal", "--drop-old")):
        assert refused.returncode == 2 and "from a program" in refused.stderr


def test_a_program_that_fails_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INKGATE_DATABASE__URL", f"sqlite+aiosqlite:///{tmp_path}/ink.db")
    assert run("migrate").returncode == 0
    monkeypatch.setenv("INKGATE_SECURITY__MASTER_KEY_COMMAND", '["sh", "-c", "echo the HSM is locked >&2; exit 4"]')
    result = run("keys", "reseal")
    assert result.returncode == 2 and "Traceback" not in result.stderr
    assert "sh ended with status 4: the HSM is locked" in result.stderr
