"""Commands that find an app whose name several accounts use, and the default app of a new account."""

# ruff: noqa: F811

from __future__ import annotations

import json

import pytest

from tests.unit.cli.test_money_commands import Shell, inkgate  # noqa: F401

DEFAULT = "默认应用"


@pytest.fixture
def keys(inkgate: Shell) -> dict[str, dict[str, str]]:
    """Account → what its creation printed: two main accounts, and a sub-account of the first."""
    return {
        "青禾": inkgate.facts("account", "create", "青禾"),
        "北门": inkgate.facts("account", "create", "北门", "--parent", "青禾"),
        "城东": inkgate.facts("account", "create", "城东"),
    }


def test_a_new_account_prints_its_default_app_with_its_keys(
    inkgate: Shell,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made = inkgate.facts("account", "create", "青禾")
    assert made["NAME"] == DEFAULT and len(made["APPKEY"]) == len(made["APPSECRET"]) == 32
    assert inkgate("app", "reveal", DEFAULT).strip() == made["APPSECRET"]
    shown = json.loads(inkgate("app", "show", DEFAULT, "--json"))
    assert (shown["ACCOUNT"], shown["ENCKEY"]) == ("青禾", made["ENCKEY"])
    assert not any(name.startswith("OPENED") for name in shown)
    monkeypatch.setenv("INKGATE_ACCOUNTS__DEFAULT_APP", "第一个应用")
    assert inkgate.facts("account", "create", "城东")["NAME"] == "第一个应用"
    monkeypatch.setenv("INKGATE_ACCOUNTS__DEFAULT_APP", "")
    assert set(inkgate.facts("account", "create", "河西")) == {"ACCOUNT", "AK", "SK"}
    assert json.loads(inkgate("app", "list", "河西", "--json")) == []
    monkeypatch.setenv("INKGATE_ACCOUNTS__DEFAULT_APP", "no")
    inkgate("account", "create", "河东", status=2)
    assert inkgate.error.startswith("inkgate: INKGATE_ACCOUNTS__DEFAULT_APP: must be 4 to 15 characters")


COMMANDS = (
    ("app", "open", DEFAULT, "general"),
    ("app", "show", DEFAULT),
    ("app", "reveal", DEFAULT),
    ("app", "allow", DEFAULT, "192.0.2.1"),
    ("app", "qps", DEFAULT, "general", "3"),
    ("app", "delete", DEFAULT, "--yes"),
)


@pytest.mark.parametrize("words", COMMANDS, ids=lambda words: words[1])
def test_a_name_of_several_accounts_is_refused_and_the_account_narrows_it(
    inkgate: Shell,
    keys: dict[str, dict[str, str]],
    words: tuple[str, ...],
) -> None:
    inkgate(*words, status=2)
    (line,) = inkgate.error.strip().splitlines()
    assert line.startswith("inkgate: 3 apps are named '默认应用'; name the account with --account, or give the AppKey")
    assert all(f"{account} ({made['APPKEY']})" in line for account, made in keys.items())
    if words[1] == "qps":
        inkgate("app", "open", keys["城东"]["APPKEY"], "general")
    inkgate(*words, "--account", "城东")
    untouched = [json.loads(inkgate("app", "show", keys[name]["APPKEY"], "--json")) for name in ("青禾", "北门")]
    assert all(not any(key.startswith(("OPENED", "ALLOWED")) for key in each) for each in untouched)
    by_key = (keys["青禾"]["APPKEY"] if word == DEFAULT else word for word in words)
    if words[1] != "qps":
        inkgate(*by_key)
    inkgate("app", "show", keys["北门"]["APPKEY"], "--account", "青禾", status=2)  # a sub-account is another account
    assert "no app" in inkgate.error and "in account '青禾'" in inkgate.error


def test_packs_and_orders_bind_to_an_app_of_the_account_that_pays(
    inkgate: Shell,
    keys: dict[str, dict[str, str]],
) -> None:
    assert "UNITS=5" in inkgate("pack", "grant", "城东", "general", "5", "--app", DEFAULT)
    (pack,) = json.loads(inkgate("pack", "list", "城东", "--json"))
    assert pack["app"] == keys["城东"]["APP"]
    for words in (("pack", "grant", "青禾", "general", "5"), ("order", "place", "青禾", "general-100k")):
        inkgate(*words, "--app", DEFAULT, status=2)
        assert "2 apps are named" in inkgate.error and keys["城东"]["APPKEY"] not in inkgate.error
        inkgate(*words, "--app", keys["城东"]["APPKEY"], status=2)
        assert "no app" in inkgate.error
        inkgate(*words, "--app", keys["北门"]["APPKEY"])
    (pack,) = json.loads(inkgate("pack", "list", "青禾", "--json"))
    assert pack["app"] == keys["北门"]["APP"]


def test_lists_show_the_account_of_each_app(
    inkgate: Shell,
    keys: dict[str, dict[str, str]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    listed = json.loads(inkgate("app", "list", "青禾", "--json"))
    assert {(each["account"], each["appkey"]) for each in listed} == {
        (name, keys[name]["APPKEY"]) for name in ("青禾", "北门")
    }
    monkeypatch.setenv("INKGATE_TAKEOVER__URL", "https://cloud.test")
    for account in keys:
        inkgate("app", "open", DEFAULT, "general", "--account", account)
        inkgate("takeover", "route", DEFAULT, "general", "mirror", "--account", account)
    inkgate("takeover", "route", DEFAULT, "general", "local", status=2)
    routes = json.loads(inkgate("takeover", "status", "--json"))["routes"]
    assert {(each["account"], each["appkey"], each["app"]) for each in routes} == {
        (name, made["APPKEY"], DEFAULT) for name, made in keys.items()
    }
    inkgate("takeover", "forget", DEFAULT, "general", "--account", "城东")
    assert len(json.loads(inkgate("takeover", "status", "--json"))["routes"]) == 2
