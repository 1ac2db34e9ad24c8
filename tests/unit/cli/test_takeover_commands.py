"""`inkgate takeover …`, run in this process on a SQLite file of its own."""

from __future__ import annotations

import json

import pytest

from tests.unit.cli.test_money_commands import Shell, inkgate

__all__ = ["inkgate"]


@pytest.fixture
def app(inkgate: Shell, monkeypatch: pytest.MonkeyPatch) -> str:
    """The AppKey of an app that has opened two capabilities; the settings name a cloud."""
    monkeypatch.setenv("INKGATE_TAKEOVER__URL", "https://cloud.test")
    inkgate("account", "create", "demo")
    made = inkgate.facts("app", "create", "demo", "demo_app")
    inkgate("app", "open", "demo_app", "general", "plate")
    return made["APPKEY"]


def shown(inkgate: Shell) -> dict[str, object]:
    made: dict[str, object] = json.loads(inkgate("takeover", "status", "--json"))
    return made


def test_from_the_mirror_to_here(inkgate: Shell, app: str) -> None:
    assert shown(inkgate)["routes"] == []
    assert inkgate("takeover", "route", "demo_app", "all", "mirror").splitlines() == [
        "demo_app general: mirror",
        "demo_app plate: mirror",
    ]
    assert inkgate("takeover", "route", app, "general", "split", "10%") == f"{app} general: split, 10% here\n"
    inkgate("takeover", "route", app, "plate", "local")
    found = shown(inkgate)
    assert isinstance(found["routes"], list)
    assert [(each["app"], each["capability"], each["mode"], each["here"]) for each in found["routes"]] == [
        ("demo_app", "general", "split", 10),
        ("demo_app", "plate", "local", 100),
    ]
    assert "split" in inkgate("takeover", "status") and "10%" in inkgate("takeover", "status")
    inkgate("takeover", "forget", app, "all")
    assert shown(inkgate)["routes"] == []


def test_the_switch_for_emergencies(inkgate: Shell, app: str) -> None:
    inkgate("takeover", "route", app, "general", "mirror")
    inkgate("takeover", "off", "cloud")
    assert shown(inkgate)["off"] == "cloud" and "OFF" in inkgate("takeover", "status")
    inkgate("takeover", "off", "none")
    assert shown(inkgate)["off"] == "" and "OFF" not in inkgate("takeover", "status")


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (("route", "nosuch", "general", "mirror"), "no app 'nosuch'"),
        (("route", "demo_app", "idcard", "mirror"), "idcard is not enabled"),
        (("route", "demo_app", "general", "both"), "mirror, split, local"),
        (("route", "demo_app", "general", "split"), "0 to 100"),
        (("route", "demo_app", "general", "split", "101"), "0 to 100"),
        (("route", "demo_app", "general", "split", "-5"), "No such option"),
        (("route", "demo_app", "general", "split", "1e1"), "0 to 100"),
        (("route", "demo_app", "general", "mirror", "10"), "mirror takes no share"),
        (("forget", "demo_app", "general"), "no such route"),
        (("off", "everything"), "none, local, cloud"),
    ],
)
def test_misuse_is_one_plain_line(inkgate: Shell, app: str, words: tuple[str, ...], hint: str) -> None:
    inkgate("takeover", *words, status=2)
    assert hint in " ".join(inkgate.error.split())


def test_without_a_cloud_nothing_is_sent_away(inkgate: Shell, app: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("INKGATE_TAKEOVER__URL")
    for words in (("route", "demo_app", "general", "mirror"), ("off", "cloud")):
        inkgate("takeover", *words, status=2)
        assert "INKGATE_TAKEOVER__URL is empty" in inkgate.error
    inkgate("takeover", "route", "demo_app", "general", "local")
    assert "INKGATE_TAKEOVER__URL is empty" in inkgate("takeover", "status")
