"""Settings: invalid values are reported in one line with the name; secrets are masked."""

from __future__ import annotations

import typing

import pytest
from pydantic import SecretStr

from inkgate.service.cli.doctor.finding import redacted_location
from inkgate.service.errors import ConfigurationError
from inkgate.service.settings import Settings, load, secret_settings, secret_values, without_passwords
from inkgate.service.telemetry import logs


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("INKGATE_LIMITS__DEADLINE", "soon", "INKGATE_LIMITS__DEADLINE"),
        ("INKGATE_LIMITS__DEADLIN", "3", "INKGATE_LIMITS__DEADLIN"),
        ("INKGATE_SERVER__TRUSTED_PROXIES", "[127.0.0.1/32]", "INKGATE_SERVER__"),
        ("INKGATE_CONSOLE__SETUP_CODE", "open sesame", "INKGATE_CONSOLE__SETUP_CODE: has 11 characters, and takes 16"),
        ("INKGATE_CONSOLE__SETUP_CODE", "x" + " " * 40, "INKGATE_CONSOLE__SETUP_CODE: has 1 characters"),
        ("INKGATE_CONSOLE__SETUP_CODE", "x" * 257, "INKGATE_CONSOLE__SETUP_CODE: has 257 characters"),
    ],
)
def test_an_invalid_setting_is_reported_in_one_line(
    name: str, value: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(ConfigurationError) as error:
        load()
    assert str(error.value).startswith(said)
    assert "\n" not in str(error.value)


def test_lists_are_json(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INKGATE_SERVER__TRUSTED_PROXIES", '["10.0.0.0/8"]')
    assert load().server.trusted_proxies == ("10.0.0.0/8",)


@pytest.mark.parametrize("blank", ["", " ", "\n"])
def test_an_empty_set_up_code_is_none(blank: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A blank code would fit a form without one."""
    monkeypatch.setenv("INKGATE_CONSOLE__SETUP_CODE", blank)
    assert load().console.setup_code is None


def test_the_set_up_code_is_stripped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INKGATE_CONSOLE__SETUP_CODE", " a code from a file\n")
    code = load().console.setup_code
    assert code is not None and code.get_secret_value() == "a code from a file"


def test_every_secret_is_marked_with_the_parts_that_need_it() -> None:
    marked = {(each.group, each.name): each.parts for each in secret_settings()}
    for group, field in Settings.model_fields.items():
        assert field.annotation is not None
        for name, inner in field.annotation.model_fields.items():
            if inner.annotation is SecretStr or SecretStr in typing.get_args(inner.annotation):
                assert marked.get((group, name)), f"{group}.{name} has no _secret(...)"
    assert marked[("database", "url")] == ("gateway", "console", "migrate")
    assert marked[("console", "wall_key")] == ("console",)


def test_a_secret_is_masked_under_its_own_name_in_a_log() -> None:
    for each in secret_settings():
        if not each.name.endswith("url"):  # of a URL the password alone
            assert logs.redact(each.name, "planted") == "***", each


PLANTED = "Pl4nted-pass"


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        (f"postgresql+asyncpg://ink:{PLANTED}@db:5432/ink?sslmode=require", "postgresql+asyncpg://db:5432/ink"),
        (f"postgresql+asyncpg://ink:{PLANTED}/x?y@db/ink", "postgresql+asyncpg://db/ink"),
        (f"redis://:{PLANTED}@cache:6379/0", "redis://cache:6379/0"),
        (f"redis://cache:6379/0?password={PLANTED}", "redis://cache:6379/0"),
        ("redis://:Pl4nted%2Dpass@cache/0", "redis://cache/0"),
    ],
)
def test_no_part_of_a_password_is_shown_of_a_url(url: str, shown: str) -> None:
    assert redacted_location(url) == shown
    assert "Pl4nted" not in without_passwords(url)
    known = secret_values(Settings(redis={"url": url}))  # type: ignore[arg-type]
    assert any(PLANTED in each for each in known), known


def test_text_that_is_not_a_url_is_unchanged() -> None:
    for text in ("sqlite+aiosqlite:///inkgate.db", "info", "https://login.example.com:8443/x", "a:b@c"):
        assert without_passwords(text) == text


def test_short_secrets_are_not_masked() -> None:
    short = Settings(redis={"url": "redis://:pg@cache/0"})  # type: ignore[arg-type]
    assert secret_values(short) == ()
    assert without_passwords(short.redis.url) == "redis://:***@cache/0"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("URL", "cloud.test"),
        ("URL", "ftp://cloud.test"),
        ("URL", "https://cloud.test/v1"),
        ("URL", "https://user:secret-word@cloud.test"),
        ("URL", "https://cloud.test:99999"),
        ("URL", "https://"),
        ("ADDRESS", "10.0.0.1/24"),
        ("ADDRESS", "https://10.0.0.1"),
        ("ADDRESS", "10.0.0.1:x"),
        ("PROXY_URL", "socks5://proxy.test"),
        ("PROXY_URL", "proxy.test:3128"),
    ],
)
def test_a_wrong_address_of_the_cloud_is_one_plain_line(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(f"INKGATE_TAKEOVER__{name}", value)
    with pytest.raises(ConfigurationError, match=f"^INKGATE_TAKEOVER__{name}: [^\n]+$") as refused:
        load()
    assert "secret-word" not in str(refused.value)


def test_addresses_of_the_cloud(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not load().takeover.enabled
    given = {
        "URL": "https://cloud.test:8443/",
        "ADDRESS": "[2001:db8::1]:443",
        "PROXY_URL": "http://u:p@proxy.test:3128",
    }
    for name, value in given.items():
        monkeypatch.setenv(f"INKGATE_TAKEOVER__{name}", value)
    takeover = load().takeover
    assert takeover.enabled and takeover.url == "https://cloud.test:8443"
