"""Settings: what cannot be read ends in one line that names it."""

from __future__ import annotations

import pytest

from service.errors import ConfigurationError
from service.settings import load


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
def test_a_wrong_setting_is_one_line(name: str, value: str, said: str, monkeypatch: pytest.MonkeyPatch) -> None:
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


def test_the_set_up_code_loses_the_blanks_around_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INKGATE_CONSOLE__SETUP_CODE", " a code from a file\n")
    code = load().console.setup_code
    assert code is not None and code.get_secret_value() == "a code from a file"
