"""Settings without secrets, a part that fails is said, and scores of samples."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from inkgate.service import settings as configuration
from inkgate.service.attest import accuracy
from inkgate.service.attest.evidence import MAX_REASON, Part, collect
from inkgate.service.attest.parts_of_host import SETTINGS_FILE, sbom_part, settings_part

SECRET = "a-secret-of-the-wall-screen"


def test_settings_say_of_secrets_only_whether_they_are_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INKGATE_CONSOLE__WALL_KEY", SECRET)
    monkeypatch.setenv("INKGATE_DATABASE__URL", f"postgresql+asyncpg://u:{SECRET}@db.example/inkgate")
    data = settings_part(configuration.load()).files[SETTINGS_FILE]
    rows = {row["name"]: row for row in json.loads(data)}
    assert SECRET.encode() not in data
    assert rows["INKGATE_CONSOLE__WALL_KEY"] == {"name": "INKGATE_CONSOLE__WALL_KEY", "default": False, "set": True}
    assert rows["INKGATE_CONSOLE__SETUP_CODE"]["set"] is False
    assert "db.example" in rows["INKGATE_DATABASE__URL"]["value"]


def test_the_parts_list_has_the_dependencies() -> None:
    part = sbom_part()
    names = {each["name"] for each in json.loads(part.files["sbom.cdx.json"])["components"]}
    assert {"fastapi", "sqlalchemy", "cryptography"} <= names


def test_the_list_of_the_installation_is_taken_and_compared(tmp_path: Path) -> None:
    document = json.loads(sbom_part(tmp_path).files["sbom.cdx.json"])
    recorded = tmp_path / "parts.cdx.json"
    recorded.write_text(json.dumps(document))
    part = sbom_part(tmp_path)
    assert (part.state, part.facts["origin"]) == ("passed", "written at the installation")
    fastapi = next(each for each in document["components"] if each["name"] == "fastapi")
    fastapi["version"] = "0.1"
    recorded.write_text(json.dumps(document))
    part = sbom_part(tmp_path)
    assert (part.state, part.reason) == ("failed", "not installed as listed: fastapi")
    recorded.write_bytes(b" " * (4 * 1024 * 1024 + 1))
    assert sbom_part(tmp_path).state == "failed"


def test_a_fault_is_the_result_of_its_part() -> None:
    def broken() -> Part:
        raise RuntimeError(f"no answer to {SECRET}\n" + "x" * 1000)

    part = collect("contract", broken, lambda text: text.replace(SECRET, "***"))
    assert part.state == "failed" and part.reason.startswith("RuntimeError: no answer to *** x")
    assert len(part.reason) == MAX_REASON


def test_a_score_counts_characters_and_fields() -> None:
    printed = accuracy.truth()
    text = {"detail": [{"text": line} for line in printed["general"]["text"]]}
    text["detail"][0]["text"] = "图书馆开放通告"
    general = accuracy.score("general", text, printed["general"])
    assert general.all - general.right == 1
    plate = accuracy.score("plate", {"detail": [{"platelicense": "浙A8K26P", "plate_type": "绿牌"}]}, printed["plate"])
    assert (plate.right, plate.all, plate.differences[0]["read"]) == (1, 2, "绿牌")
    assert accuracy.score("licence", {}, printed["licence"]).right == 0
