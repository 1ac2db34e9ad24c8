"""The commands for accounts, orders and the ledger, run in this process on a SQLite file of their own."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

import pytest

from inkgate.service import cli


class Shell:
    """Runs `inkgate …` in this process."""

    def __init__(self, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
        self._capsys, self._patch = capsys, monkeypatch
        self.error = ""

    def __call__(self, *words: str, status: int = 0) -> str:
        self._patch.setattr("sys.argv", ["inkgate", *words])
        try:
            cli.main()
            code: object = 0
        except SystemExit as stop:
            code = stop.code or 0
        out, self.error = self._capsys.readouterr()
        assert code == status, f"{words}: exit {code}\n{out}\n{self.error}"
        return out

    def facts(self, *words: str) -> dict[str, str]:
        return dict(line.split("=", 1) for line in self(*words).splitlines())


@pytest.fixture
def inkgate(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Shell:
    monkeypatch.setenv("INKGATE_DATABASE__URL", f"sqlite+aiosqlite:///{tmp_path}/inkgate.db")
    shell = Shell(capsys, monkeypatch)
    shell("migrate")
    return shell


def test_from_nothing_to_an_app_that_may_call(inkgate: Shell) -> None:
    account = inkgate.facts("account", "create", "demo")
    assert len(account["AK"]) == len(account["SK"]) == 32
    app = inkgate.facts("app", "create", "demo", "demo_app")
    inkgate("app", "open", "demo_app")
    inkgate("pack", "grant", "demo", "general", "1000", "--app", "demo_app")
    shown = json.loads(inkgate("app", "show", app["APPKEY"], "--json"))
    assert {name for name in shown if name.startswith("OPENED_")} == {
        "OPENED_GENERAL",
        "OPENED_IDCARD",
        "OPENED_PLATE",
        "OPENED_LICENCE",
    }
    assert inkgate("app", "reveal", "demo_app").strip() == app["APPSECRET"]
    (pack,) = json.loads(inkgate("pack", "list", "demo", "--json"))
    assert (pack["state"], pack["used"], pack["total"], pack["app"]) == ("valid", 0, 1000, app["APP"])
    assert "the ledger is sound" in inkgate("ledger", "verify")


def test_keys_are_listed_rotated_and_disabled(inkgate: Shell) -> None:
    first = inkgate.facts("account", "create", "demo")
    second = inkgate.facts("account", "key-rotate", first["AK"], "--overlap-hours", "0")
    inkgate("account", "key-disable", second["AK"])
    keys = json.loads(inkgate("account", "key-list", "demo", "--json"))
    assert [key["ak"] for key in keys] == [first["AK"], second["AK"]]
    assert keys[0]["ends"] and keys[1]["disabled"]


def test_allow_lists_rates_and_deletion(inkgate: Shell) -> None:
    inkgate("account", "create", "demo")
    inkgate("app", "create", "demo", "demo_app")
    inkgate("app", "open", "demo_app", "plate", "--qps", "3")
    inkgate("app", "allow", "demo_app", "192.0.2.1/24", "2001:db8::/32")
    inkgate("app", "allow", "demo_app", "192.0.2.7", "--capability", "plate")
    inkgate("app", "qps", "demo_app", "plate", "2.5")
    shown = json.loads(inkgate("app", "show", "demo_app", "--json"))
    assert (shown["OPENED_PLATE"], shown["ALLOWED"], shown["ALLOWED_PLATE"]) == (
        "2.5 qps",
        "192.0.2.0/24 2001:db8::/32",
        "192.0.2.7/32",
    )
    inkgate("app", "qps", "demo_app", "plate", "fast", status=2)
    inkgate("app", "delete", "demo_app", "--yes")
    inkgate("app", "show", "demo_app", status=2)
    assert "no app 'demo_app'" in inkgate.error


def test_orders_refunds_and_vouchers(inkgate: Shell) -> None:
    inkgate("account", "create", "demo")
    assert "general-100k" in inkgate("order", "catalogue")
    code = inkgate("order", "voucher", "credit", "50.5").strip()
    order = inkgate.facts("order", "place", "demo", "general-100k", "plate-1m=2", "--voucher", code)
    assert (order["STATE"], order["YUAN"]) == ("pending", "19599.50")
    inkgate("order", "approve", order["ORDER"])
    packs = json.loads(inkgate("pack", "list", "demo", "--json"))
    assert [pack["capability"] for pack in packs] == ["general", "plate", "plate"]
    refund = inkgate.facts("order", "refund-request", packs[2]["id"])
    inkgate("order", "refund-approve", refund["REFUND"])
    inkgate("order", "refund-approve", refund["REFUND"], status=2)
    assert "approved already" in inkgate.error
    inkgate("order", "product", "tiny", "general", "10", "9.999", status=2)
    assert "no amount of yuan" in inkgate.error


def test_verify_fails_with_the_offending_rows(inkgate: Shell, tmp_path: Path) -> None:
    inkgate("account", "create", "demo")
    inkgate("pack", "grant", "demo", "general", "10")
    export = tmp_path / "ledger.jsonl"
    inkgate("ledger", "export", "demo", "--to", str(export))
    assert "sound" in inkgate("ledger", "verify", "--export", str(export))
    with sqlite3.connect(tmp_path / "inkgate.db") as database:
        database.execute("UPDATE pack SET used = 3")
    (finding,) = json.loads(inkgate("ledger", "verify", "--json", status=1))
    assert finding["kind"] == "units" and finding["where"].startswith("pack ")
    assert "drift 3 units" in inkgate("ledger", "maintain", status=1)
    assert inkgate("ledger", "export", "demo", "--format", "csv").startswith("call_id,line")


def test_the_master_key_is_changed_without_losing_a_secret(inkgate: Shell, tmp_path: Path) -> None:
    inkgate("account", "create", "demo")
    app = inkgate.facts("app", "create", "demo", "demo_app")
    key_file = tmp_path / "inkgate.db.key"
    before = key_file.read_text()
    inkgate("keys", "add")
    assert key_file.read_text().endswith(before)
    assert "5 secrets" in inkgate("keys", "reseal", "--drop-old")
    assert before.strip() not in key_file.read_text()
    assert inkgate("app", "reveal", "demo_app").strip() == app["APPSECRET"]
    assert "0 secrets" in inkgate("keys", "reseal")


def test_the_audit_trail_is_shown(inkgate: Shell) -> None:
    inkgate("account", "create", "demo")
    events = json.loads(inkgate("audit", "--account", "demo", "--json"))
    assert [event["action"] for event in events] == ["key.create", "app.create", "account.create"]
    assert all(event["actor"].startswith("cli:") for event in events)


def test_misuse_is_one_line(inkgate: Shell, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    inkgate("account", "create", "demo")
    inkgate("account", "create", "demo", status=2)
    assert inkgate.error.strip() == "inkgate: there is an account 'demo' already"
    inkgate("pack", "grant", "demo", "licence", "5", status=2)
    assert "licence is free" in inkgate.error
    monkeypatch.setenv("INKGATE_DATABASE__URL", f"sqlite+aiosqlite:///{tmp_path}/other.db")
    inkgate("account", "list", status=2)
    assert "Run `inkgate migrate`" in inkgate.error
    monkeypatch.setenv("INKGATE_DATABASE__URL", "postgresql+asyncpg://x@127.0.0.1:1/x")
    inkgate("account", "list", status=1)
    assert "Check INKGATE_DATABASE__URL" in inkgate.error and "Traceback" not in inkgate.error


def test_a_meter_in_the_future_is_reported_and_then_corrected(inkgate: Shell, tmp_path: Path) -> None:
    inkgate("account", "create", "demo")
    inkgate("pack", "grant", "demo", "general", "1000")
    assert "nothing lies in the future" in inkgate("ledger", "repair-clock")
    with sqlite3.connect(tmp_path / "inkgate.db") as connection:
        connection.execute("UPDATE meter SET settled_at = datetime('now', '+40 days')")
    connection.close()
    inkgate("pack", "grant", "demo", "general", "1000", status=1)
    assert "ahead of now" in inkgate.error and "inkgate ledger repair-clock" in inkgate.error
    assert "add --yes" in inkgate("ledger", "repair-clock")
    (row,) = json.loads(inkgate("ledger", "repair-clock", "--json"))
    assert (row["capability"], row["packs"], row["hours"]) == ("general", 0, 0)
    assert "corrected: 1 meters" in inkgate("ledger", "repair-clock", "--yes")
    assert "nothing lies in the future" in inkgate("ledger", "repair-clock")
    assert "the ledger is sound" in inkgate("ledger", "verify")
    inkgate("pack", "grant", "demo", "general", "1000")
    assert "ledger.repair_clock" in inkgate("audit", "--json")
