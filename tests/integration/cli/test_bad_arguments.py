"""Mistyped arguments end in one line and exit status 2, on SQLite and PostgreSQL."""

from __future__ import annotations

import base64

import pytest

from tests.postgres import Postgres
from tests.unit.cli.test_money_commands import Shell, inkgate

__all__ = ["inkgate"]
FAR = "99999999999999999999999999"
LINES: list[tuple[str, ...]] = [
    ("account", "create", "\udcff"),
    ("account", "list", "--search", "\udcff"),
    ("account", "list", "--limit", "-1"),
    ("account", "list", "--limit", FAR),
    ("account", "suspend", "z" * 36),
    ("account", "suspend", "g" * 32),
    ("account", "key-rotate", "x" * 300),
    ("account", "key-rotate", "x", "--overlap-hours", "1e300"),
    ("account", "key-rotate", "x", "--overlap-hours", "nan"),
    ("app", "create", "demo", "demo_app", "--description", "\udcff"),
    ("app", "create", "demo", "demo_app", "--description", "x" * 501),
    ("app", "show", "z" * 36),
    ("app", "list", "demo", "--limit", "-1"),
    ("app", "qps", "portal_app", "general", "nan"),
    ("app", "allow", "portal_app", "fe80::1%" + "x" * 60),
    ("pack", "grant", "demo", "general", FAR),
    ("pack", "grant", "demo", "general", "1", "--app", "z" * 36),
    ("order", "product", "x" * 300, "general", "1", "1"),
    ("order", "product", "a\x1bb", "general", "1", "1"),
    ("order", "product", "tiny", "general", FAR, "1"),
    ("order", "product", "tiny", "general", "1", "0.²"),
    ("order", "product", "tiny", "general", "1", FAR),
    ("order", "place", "demo", "general-100k=²"),
    ("order", "place", "demo", f"general-100k={FAR}"),
    ("order", "place", "demo", "general-100k", "--app", "z" * 36),
    ("order", "list", "--limit", "0"),
    ("order", "list", "--account", "z" * 36),
    ("order", "approve", "z" * 36),
    ("order", "voucher", "percent", "many"),
    ("order", "voucher", "percent", "²"),
    ("order", "voucher", "credit", FAR),
    ("order", "voucher-list", "--limit", "0"),
    ("order", "top-up", "demo", "0"),
    ("order", "top-up", "demo", "²"),
    ("order", "top-up", "demo", FAR),
    ("order", "top-up", "demo", "1", "--withdraw"),
    ("order", "top-up", "demo", "1", "--note", "x" * 300),
    ("order", "balance", "z" * 36),
    ("order", "refund-request", "z" * 36),
    ("order", "refund-request", "not-an-id"),
    ("order", "refund-approve", "z" * 36),
    ("order", "refund-reject", "x"),
    ("usage", "--since", "0001-01-01"),
    ("usage", "--until", "9999-12-31"),
    ("usage", "--account", "z" * 36),
    ("ledger", "export", "demo", "--since", "0001-01-01"),
    ("ledger", "verify", "--account", "z" * 36),
    ("audit", "--account", "z" * 36),
    ("audit", "--limit", FAR),
    ("user", "disable", "\udcff"),
    ("admin", "token-create", "robot", "--scope", "usage:read", "--days", FAR),
    ("admin", "token-create", "\udcff", "--scope", "usage:read"),
    ("admin", "token-disable", "x" * 300),
]


@pytest.mark.parametrize("kind", ["sqlite", "postgres"])
def test_a_bad_argument_is_one_line(
    inkgate: Shell, kind: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    if kind == "postgres":
        server: Postgres = request.getfixturevalue("postgres")
        monkeypatch.setenv("INKGATE_DATABASE__URL", server.wiped())
        monkeypatch.setenv("INKGATE_SECURITY__MASTER_KEY", base64.b64encode(bytes(32)).decode())
    inkgate("account", "create", "demo")
    inkgate("app", "create", "demo", "portal_app")
    inkgate("app", "open", "portal_app", "general")
    for line in LINES:
        inkgate(*line, status=2)
        assert "Traceback" not in inkgate.error and inkgate.error.strip(), line


@pytest.mark.parametrize("name", ["[/x]", "[red]x", "[link=a]", r"\[bold]"])
def test_brackets_in_a_name_are_shown_as_they_are(inkgate: Shell, name: str) -> None:
    """Regression: they were parsed as markup, which removed some and raised an exception for others."""
    inkgate("ledger", "export", name, status=2)
    assert inkgate.error == f"inkgate: no account {name!r}; see: inkgate account list\n"


def test_an_argument_that_is_not_utf8_is_shown_as_bytes(inkgate: Shell) -> None:
    inkgate("account", "create", "caf\udce9", status=2)
    assert "caf\\xe9" in inkgate.error and "UTF-8" in inkgate.error
