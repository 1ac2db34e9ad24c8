"""What the tests of the surfaces share: posts forms of the console and reads the events of each."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from sqlalchemy.ext.asyncio import AsyncEngine

from inkgate.service.audit import repository
from inkgate.service.audit.models import EventRow
from inkgate.service.console.forms import ANSWERS_IN_PLACE
from inkgate.service.db import work
from tests.console.console_fixture import BrowserClient, ConsoleFixture

PEER = "127.0.0.1"

USER_FORMS = {
    *("/second-factor", "/second-factor/codes", "/second-factor/remove", "/login/code", "/sessions/end"),
    *("/members", "/members/accounts", "/members/{user_id}/role", "/members/{user_id}/reset"),
    *("/members/{user_id}/disable", "/members/{user_id}/second-factor", "/operator/sessions/{session}/end"),
    *("/operator/accounts/{account_id}/users/{user_id}/role",),
    *("/operator/accounts/{account_id}/users/{user_id}/second-factor",),
    *("/operator/accounts/operators/{user_id}/role", "/operator/accounts/operators/{user_id}/second-factor"),
}
"""Forms of roles, second factors and sessions, which test_user_surfaces.py tries."""

NOTICE_FORMS = {
    *("/notices/channels", "/notices/channels/{channel_id}/{change}", "/notices/thresholds"),
    *("/notices/{notice_id}/retry", "/operator/notices/channels", "/operator/notices/{notice_id}/retry"),
    *("/operator/notices/channels/{channel_id}/{change}",),
}
"""Forms of notices, which test_user_surfaces.py tries."""


@dataclass
class Recorder:
    """Reads the events that one step added."""

    engine: AsyncEngine
    seen: int = 0
    tried: set[str] = field(default_factory=set)

    async def new(self) -> list[EventRow]:
        async with work.read_session(self.engine) as session:
            last = (await repository.head(session))[0]
            rows = await repository.chained(session, self.seen + 1, last)
        self.seen = last
        return rows


@dataclass
class Steps:
    """Posts forms, and checks the events of each."""

    console: ConsoleFixture
    recorder: Recorder
    visitors: dict[str, BrowserClient]
    answer: str = ""  # the last one, or the page that it led to

    async def form(self, login: str, route: str, action: str, result: str = "done", /, **fields: Any) -> EventRow:
        path = route.format_map({name: str(value) for name, value in fields.items()})
        visitor = self.visitors[login]
        csrf = await visitor.token("/reference" if login else "/login")
        await self.recorder.new()
        files = {"file": ("import.json", fields.pop("upload"))} if "upload" in fields else None
        answer = await visitor.post(path, data={"csrf": csrf, **fields}, files=files)
        assert answer.status_code in (200, 303, 422), f"{route}: {answer.status_code} {answer.text[:300]}"
        good = 303 if route not in ANSWERS_IN_PLACE else 200
        assert result != "done" or answer.status_code == good, f"{route}: {answer.status_code}, not {good}"
        self.recorder.tried.add(route)
        events = [each for each in await self.recorder.new() if not each.action.endswith(".view")]
        found = next((each for each in events if each.action == action), None)
        assert found is not None, f"{route}: {[each.action for each in events]} {answer.text[-600:]}"
        assert (found.result, found.surface, found.address) == (result, "console", PEER), route
        assert found.actor != "console:-" and found.hash is not None
        if answer.status_code == 303:
            answer = await visitor.get(answer.headers["location"].removeprefix("/console"))
        self.answer = answer.text
        return found
