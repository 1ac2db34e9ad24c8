"""Options of `inkgate attest --chaos`, and a run that cannot be made: the pack says so, without secrets."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from inkgate.service.attest import archive
from inkgate.service.attest.chaos.instance import NotStarted
from inkgate.service.attest.evidence import Part
from inkgate.service.cli import attest
from tests.unit.cli.test_money_commands import Shell, inkgate

__all__ = ["inkgate"]

SECRET_URL = "redis://:a-long-password@redis.example:6379/0"


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the parts that read images and hash models."""
    monkeypatch.setattr(attest, "_read_here", lambda settings: {})
    monkeypatch.setattr(attest, "_models", lambda settings: Part("models", "passed"))


def chaos_of(path: Path) -> dict[str, Any]:
    parts = json.loads(archive.read(path.read_bytes()).files["summary.json"])["parts"]
    return next(part for part in parts if part["name"] == "chaos")


def test_options_of_a_chaos_run_need_the_run(inkgate: Shell, tmp_path: Path) -> None:
    out = tmp_path / "pack.zip"
    inkgate("attest", "--out", str(out), "--chaos-redis", SECRET_URL, status=2)
    assert "--chaos" in inkgate.error and "a-long-password" not in inkgate.error
    inkgate("attest", "--out", str(out), "--chaos", "--chaos-seconds", "1", status=2)
    assert not out.exists()


def test_without_the_option_the_pack_says_that_it_was_not_asked_for(inkgate: Shell, tmp_path: Path) -> None:
    out = tmp_path / "pack.zip"
    inkgate("attest", "--out", str(out), status=1)  # accuracy fails: nothing was read
    assert chaos_of(out)["state"] == "not_asked"


def test_a_run_that_cannot_start_fails_the_pack_and_shows_no_secret(
    inkgate: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refuse(settings: object, wanted: attest.Wanted) -> Part:
        assert (wanted.seconds, wanted.redis) == (20.0, SECRET_URL)
        raise NotStarted(f"it ended with status 1: cannot reach {wanted.redis}, password a-long-password")

    monkeypatch.setattr(attest, "chaos_part", refuse)
    out = tmp_path / "pack.zip"
    words = ["--chaos", "--chaos-seconds", "20", "--chaos-redis", SECRET_URL]
    assert "chaos     failed" in inkgate("attest", "--out", str(out), *words, status=1)
    part = chaos_of(out)
    assert part["state"] == "failed" and "it ended with status 1" in part["reason"]
    assert b"a-long-password" not in out.read_bytes()
