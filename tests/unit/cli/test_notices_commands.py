"""`inkgate notices …`: what was sent is listed and shown, a failed notice sent again, a channel tried and paused."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import typer
from sqlalchemy import update

from inkgate.service import settings as configuration
from inkgate.service.accounts import repository as accounts
from inkgate.service.accounts import vault as vaults
from inkgate.service.cli.notices import app as commands
from inkgate.service.db import engine as engines
from inkgate.service.db import work
from inkgate.service.notices import channels, repository
from inkgate.service.notices.channels import NewChannel
from inkgate.service.notices.evaluation import notice_row
from inkgate.service.notices.kinds import ChannelKind, Condition, Kind
from inkgate.service.notices.models import NoticeRow
from tests.unit.cli.test_money_commands import Shell, inkgate

__all__ = ["inkgate"]

SECRET_PATH = "/robot/very-secret"
LOW = {"account": "demo", "capability": "general", "left": 5, "total": 100, "days": 1, "rate": 5}


async def _fill() -> dict[str, str]:
    """A channel of the account `demo` and one of the operators; on the first a failed notice and a sent one."""
    settings = configuration.load()
    engine = engines.create(settings.database)
    try:
        vault = vaults.load(settings.security, settings.database)
        async with work.unit_of_work(engine, "test") as unit:
            demo = await accounts.account_named(unit.session, "demo")
            assert demo is not None
            new = NewChannel(ChannelKind.EMAIL, "finance", addresses="lin@example.com")
            own = (await channels.create(unit, vault, settings.notices, demo.id, new)).row
            robot = NewChannel(ChannelKind.WECOM, "duty", url=f"https://qyapi.example{SECRET_PATH}")
            ours = (await channels.create(unit, vault, settings.notices, None, robot)).row
            now = await unit.now()
            made = [
                notice_row(own, Condition(f"low:{number}", Kind.LOW_BALANCE, demo.id, dict(LOW)), now, now)
                for number in range(2)
            ]
            await repository.post(unit.session, made)
            for row, state in zip(made, ("failed", "sent"), strict=True):
                ended = {"state": state, "ended_at": now + timedelta(seconds=3), "error": "refused: 550"}
                await unit.session.execute(update(NoticeRow).where(NoticeRow.id == row["id"]).values(**ended))
            return {"own": own.id, "ours": ours.id, "failed": str(made[0]["id"]), "sent": str(made[1]["id"])}
    finally:
        await engine.dispose()


@pytest.fixture
def ids(inkgate: Shell) -> dict[str, str]:
    inkgate("account", "create", "demo")
    inkgate("account", "create", "other")
    return asyncio.run(_fill())


def listed(shell: Shell, *words: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(shell("notices", *words, "--json"))
    return found


def test_notices_are_listed_by_every_filter(inkgate: Shell, ids: dict[str, str]) -> None:
    assert {each["id"] for each in listed(inkgate)} == {ids["failed"], ids["sent"]}
    (failed,) = listed(inkgate, "--state", "failed")
    assert (failed["id"], failed["account"], failed["channel"]) == (ids["failed"], "demo", "finance")
    assert failed["error"] == "refused: 550" and "demo" in failed["title"]
    assert len(listed(inkgate, "--account", "demo", "--kind", "low_balance", "--channel", "finance")) == 2
    for words in (
        ["--operators"], ["--account", "other"], ["--kind", "workers_down"], ["--channel", ids["ours"]],
        ["--since", "2190-01-01"], ["--state", "waiting"],
    ):  # fmt: skip
        assert listed(inkgate, *words) == [], words
    assert len(listed(inkgate, "--limit", "1")) == 1
    assert "finance" in inkgate("notices")
    for words in (["--state", "gone"], ["--kind", "gone"], ["--account", "demo", "--operators"]):
        inkgate("notices", *words, status=2)
        assert inkgate.error.startswith("inkgate: ") and len(inkgate.error.splitlines()) == 1


def test_one_is_shown_with_its_text(inkgate: Shell, ids: dict[str, str]) -> None:
    shown = json.loads(inkgate("notices", "show", ids["failed"], "--json"))
    assert (shown["STATE"], shown["CHANNEL"], shown["ERROR"]) == ("failed", "finance", "refused: 550")
    assert "余量不足" in shown["TITLE"] and "5" in shown["TEXT"]
    for unknown in ("x", "018f0000-0000-7000-8000-000000000000"):
        inkgate("notices", "show", unknown, status=2)


def test_a_failed_notice_is_sent_again_once(inkgate: Shell, ids: dict[str, str]) -> None:
    inkgate("notices", "retry", ids["failed"])
    assert [each["id"] for each in listed(inkgate, "--state", "waiting")] == [ids["failed"]]
    for not_failed in (ids["failed"], ids["sent"]):
        inkgate("notices", "retry", not_failed, status=2)


def test_channels_are_listed_tried_paused_and_removed(inkgate: Shell, ids: dict[str, str]) -> None:
    found = json.loads(inkgate("notices", "channels", "--json"))
    assert [(each["name"], each["account"]) for each in found] == [("finance", "demo"), ("duty", "-")]
    assert SECRET_PATH not in json.dumps(found)
    assert len(json.loads(inkgate("notices", "channels", "--operators", "--json"))) == 1
    posted = inkgate("notices", "test", "duty").strip()
    assert json.loads(inkgate("notices", "show", posted, "--json"))["STATE"] == "waiting"
    inkgate("notices", "test", "duty", status=2)
    assert "minute" in inkgate.error or "60" in inkgate.error
    inkgate("notices", "pause", ids["own"])
    inkgate("notices", "pause", ids["own"], status=2)
    inkgate("notices", "test", ids["own"], status=2)
    inkgate("notices", "resume", ids["own"])
    inkgate("notices", "remove", "finance")
    inkgate("notices", "test", "finance", status=2)
    assert json.loads(inkgate("notices", "show", ids["failed"], "--json"))["CHANNEL_REMOVED"] == "yes"


def test_every_verb_leaves_its_event(inkgate: Shell, ids: dict[str, str], tmp_path: Path) -> None:
    tried = {
        "": ((), "cli.view"),
        "show": ((ids["sent"],), "cli.view"),
        "channels": ((), "cli.view"),
        "retry": ((ids["failed"],), "notice.retry"),
        "test": (("duty",), "notice.test"),
        "pause": (("duty",), "notice.channel_pause"),
        "resume": (("duty",), "notice.channel_resume"),
        "remove": (("duty",), "notice.channel_remove"),
    }
    group = typer.main.get_group(commands)
    assert set(tried) == {*group.commands, ""}
    for verb, (words, action) in tried.items():
        inkgate("notices", *([verb] if verb else []), *words)
        with sqlite3.connect(tmp_path / "inkgate.db") as database:
            query = "SELECT action, surface, account_id IS NOT NULL FROM audit_event ORDER BY sequence DESC LIMIT 1"
            found, surface, of_account = database.execute(query).fetchone()
        assert (found, surface) == (action, "cli"), verb
        assert of_account == (verb in ("show", "retry")), verb
