"""`inkgate audit`: show, export, verify with and without the database, key and checkpoint."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

import pytest

from tests.audit_verifier import first_broken
from tests.unit.cli.test_money_commands import Shell, inkgate  # noqa: F401 - the fixture


def some_events(inkgate: Shell) -> None:  # noqa: F811
    inkgate("account", "create", "demo")
    inkgate("app", "create", "demo", "demo_app")
    inkgate("app", "open", "demo_app")
    inkgate("app", "qps", "demo_app", "general", "3")


def test_an_export_is_verified_without_the_database(
    inkgate: Shell,  # noqa: F811
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    some_events(inkgate)
    key = inkgate.facts("audit", "key")
    signed = json.loads(inkgate("audit", "checkpoint"))
    assert signed["key_id"] == key["KEY_ID"] and signed["kind"] == "head"
    assert "signed checkpoints hold" in inkgate("audit", "verify")
    export, pinned = tmp_path / "audit.jsonl", tmp_path / "key.pub"
    pinned.write_text(inkgate("audit", "key"))
    inkgate("audit", "export", "--to", str(export))
    monkeypatch.setenv("INKGATE_DATABASE__URL", f"sqlite+aiosqlite:///{tmp_path}/none.db")
    for given in ((), ("--key", key["PUBLIC_KEY"]), ("--key", str(pinned))):
        assert "signed checkpoints hold" in inkgate("audit", "verify", str(export), *given)
    lines = export.read_text().splitlines(keepends=True)
    assert first_broken(lines, key["PUBLIC_KEY"]) is None
    export.write_text("".join(lines).replace('"app demo_app"', '"app other_app"', 1))
    broken = json.loads(inkgate("audit", "verify", str(export), "--json", status=1))
    (found,) = [each for each in broken["findings"] if each["kind"] == "content"]
    assert broken["sound"] is False and found["where"] == f"event {first_broken(export.open(), key['PUBLIC_KEY'])}"
    assert not (tmp_path / "none.db").exists()
    assert "content" in inkgate("audit", "verify", str(export), status=1)


def test_tampering_in_the_database_is_status_one(inkgate: Shell, tmp_path: Path) -> None:  # noqa: F811
    some_events(inkgate)
    with sqlite3.connect(tmp_path / "inkgate.db") as database:
        database.execute("DROP TRIGGER audit_event_no_update")
        database.execute("UPDATE audit_event SET actor = 'cli:other' WHERE sequence = 2")
    assert "event 2" in inkgate("audit", "verify", status=1)


def test_events_are_filtered_and_exported_as_csv(inkgate: Shell, tmp_path: Path) -> None:  # noqa: F811
    some_events(inkgate)
    (event,) = json.loads(inkgate("audit", "--action", "app.qps", "--json"))
    assert (event["result"], event["account"], event["detail"]["after"]) == ("done", "demo", {"qps": 3})
    assert event["address"] and event["actor"].startswith("cli:")
    assert json.loads(inkgate("audit", "--result", "refused", "--json")) == []
    rows = inkgate("audit", "export", "--format", "csv", "--account", "demo").splitlines()
    assert rows[0].startswith("sequence,id,at,actor,action") and any("app.qps" in row for row in rows[1:])


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("audit", "--result", "maybe"), "done, refused or failed"),
        (("audit", "export", "--format", "xml"), "json or csv"),
        (("audit", "verify", "none.jsonl"), "no such file"),
        (("audit", "verify", __file__, "--key", "no key"), "no public key"),
        (("audit", "verify", __file__, "--key", __file__), "no public key"),
    ],
)
def test_bad_arguments_are_one_line(inkgate: Shell, words: tuple[str, ...], said: str) -> None:  # noqa: F811
    inkgate(*words, status=2)
    assert said in inkgate.error.replace("\n", " ")


def test_the_signing_key_is_sealed_again_with_a_new_master_key(inkgate: Shell) -> None:  # noqa: F811
    before = inkgate.facts("audit", "key")
    inkgate("keys", "add")
    assert inkgate("keys", "reseal", "--drop-old").startswith("1 ")
    assert inkgate.facts("audit", "key") == before
