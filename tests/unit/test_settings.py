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
