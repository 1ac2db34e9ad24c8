"""`inkgate account import` and `inkgate app import`, run in this process on a SQLite file of their own."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest

from inkgate.service.sealed import keys as sm2
from tests.unit.cli.test_money_commands import Shell, inkgate  # noqa: F401 - the fixture
from tests.unit.importing.files import as_csv, as_json, company, pair


def test_tried_then_imported_then_refused(inkgate: Shell, tmp_path: Path) -> None:  # noqa: F811
    records = company()
    file = tmp_path / "company.csv"
    file.write_bytes(as_csv(records))
    tried = inkgate("account", "import", str(file))
    assert "can be imported: 2 account, 2 key, 1 app, 2 capability, 2 pack" in tried and "--apply" in tried
    assert json.loads(inkgate("account", "list", "--json")) == []
    assert "imported: 2 account" in inkgate("account", "import", str(file), "--apply")
    assert inkgate("app", "reveal", records[4]["id"]).strip() == records[4]["secret"]
    (key,) = json.loads(inkgate("account", "key-list", "云上公司", "--json"))
    assert key["ak"] == records[2]["id"]
    inkgate("account", "import", str(file), "--apply", status=2)
    assert inkgate.error.splitlines()[:2] == [
        "row 2, account: is an account here already; leave this row out to add to it",
        "row 3, account: is an account here already; leave this row out to add to it",
    ]
    assert inkgate.error.splitlines()[-1] == "inkgate: 8 problems; nothing was imported"


def test_apps_for_an_account_that_exists(
    inkgate: Shell,  # noqa: F811
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    inkgate("account", "create", "demo")
    records = [
        {"record": "app", "account": "demo", "app": "demo_app", **pair(), "seals": "yes"},
        {"record": "capability", "app": "demo_app", "capability": "general"},
    ]
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(as_json(records))))
    report = json.loads(inkgate("app", "import", "-", "--apply", "--json"))
    assert report["applied"] and report["counts"]["app"] == 1
    (sealing,) = report["sealing"]
    shown = json.loads(inkgate("app", "show", "demo_app", "--json"))
    assert shown["ENCKEY"] == sealing["enckey"] and not sealing["own_key"]
    assert shown["IMPORTED"] and shown["SEALS"] == "with the public key above"
    private, enckey = sm2.generate()
    file = tmp_path / "private.txt"
    file.write_text(private.hex())
    assert inkgate.facts("app", "sm2-import", "demo_app", str(file))["ENCKEY"] == enckey
    inkgate("app", "sm2-import", "demo_app", str(tmp_path / "none"), status=2)
    assert "cannot be read: No such file" in inkgate.error
    file.write_text("x")
    inkgate("app", "sm2-import", "demo_app", str(file), status=2)
    assert "no SM2 private key" in inkgate.error


@pytest.mark.parametrize("noun", ["account", "app"])
def test_the_template_is_refused_before_its_keys_are_replaced(inkgate: Shell, tmp_path: Path, noun: str) -> None:  # noqa: F811
    for option, name in ((), "t.csv"), (("--json",), "t.json"):
        file = tmp_path / name
        file.write_text(inkgate(noun, "import", "--template", *option))
        inkgate(noun, "import", str(file), "--apply", status=2)
        assert {line.split(":")[0].split(", ")[1] for line in inkgate.error.splitlines()[:-1]} == {"id", "secret"}


def test_a_file_that_is_not_there_is_one_line(inkgate: Shell, tmp_path: Path) -> None:  # noqa: F811
    inkgate("account", "import", status=2)
    assert inkgate.error.startswith("inkgate: no file:")
    inkgate("account", "import", str(tmp_path), status=2)
    assert "cannot be read: Is a directory" in inkgate.error
    (tmp_path / "large.csv").write_bytes(b"x" * (1 << 20) + b"x")
    inkgate("account", "import", str(tmp_path / "large.csv"), status=2)
    assert "more than 1024 KiB" in inkgate.error
