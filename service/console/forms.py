"""Forms of a signed-in user: each takes effect once (ADR 0087), and secrets are shown after a redirect (ADR 0088).

The masked form token of a page is different on every page that is rendered, so that it names one showing of its forms.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

from starlette.datastructures import UploadFile
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from inkgate.service.console.page_request import PageRequest
from inkgate.service.db.work import UnitOfWork
from inkgate.service.users import forms, shown_secrets
from inkgate.service.users.shown_secrets import NEW_VISIBLE, ShownSecret

log = logging.getLogger(__name__)

CLAIM = "inkgate.form_claim"  # in the ASGI scope

REPEATABLE: Mapping[str, str] = {
    "/setup": "creates the first operator, once",
    "/login": "begins a session",
    "/login/code": "begins a session",
    "/logout": "ends the session",
    "/preferences": "sets cookies of the browser",
    "/wall": "sets a cookie of the browser",
    "/try/{name}": "answers in place, and claims a token of its own: see try_calls",
    "/operator/ledger": "shows a verification, which changes nothing",
    "/operator/audit": "shows a verification, which changes nothing",
}
"""Forms that may be sent again, and why."""

ANSWERS_IN_PLACE: Mapping[str, str] = {
    "/try/{name}": "the result beside the form",
    "/operator/import": "the check of a file that is not kept",
    "/operator/ledger": "the result of the verification, which is not kept",
    "/operator/audit": "the result of the verification, which is not kept",
}
"""Forms whose good answer is no redirect, and what it is. All others answer 303; a refused form is shown again, 422."""


class FormAnswered(Exception):
    """The same form was answered before, with a redirect to `location`."""

    def __init__(self, location: str) -> None:
        super().__init__()
        self.location = location


@dataclass(slots=True)
class Claim:
    """The claim of the current request on its form; `key` is "" when it has none."""

    key: str = ""
    page_request: PageRequest | None = None


async def claim(page_request: PageRequest) -> None:
    """Claim the form of a request for its page function.

    Raises FormAnswered for a repeat, and `forms.Unanswered` for a repeat of one that is not answered yet.
    """
    request = page_request.request
    held = request.scope.get(CLAIM)
    if page_request.signed_in is None or held is None or request.scope["route"].path in REPEATABLE:
        return
    session = page_request.signed_in.token_hash
    key = forms.key_of(session, page_request.form_token, request.url.path, await _fields(page_request))
    location = await forms.claim(page_request, key, session)
    if location is not None:
        raise FormAnswered(location)
    held.key, held.page_request = key, page_request


async def _fields(page_request: PageRequest) -> list[tuple[str, str]]:
    """Names and values of the form; of a file its hash."""
    found = []
    for name, value in page_request.form.multi_items():
        if isinstance(value, UploadFile):
            digest = hashlib.sha256(await value.read()).hexdigest()
            await value.seek(0)
            found.append((name, digest))
        elif name != "csrf":
            found.append((name, value))
    return found


class FormMiddleware:
    """Records the answer of a claimed form before it is sent: a redirect is kept, any other answer frees the form."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "POST":
            await self._app(scope, receive, send)
            return
        held = scope[CLAIM] = Claim()

        async def send_settled(message: Message) -> None:
            if message["type"] == "http.response.start":
                sent = dict(message["headers"])
                await _settle(held, sent[b"location"].decode() if message["status"] == 303 else "")
            await send(message)

        try:
            await self._app(scope, receive, send_settled)
        except Exception:
            await _settle(held, "")
            raise


async def _settle(held: Claim, location: str) -> None:
    key, page_request = held.key, held.page_request
    if page_request is None:
        return
    held.key, held.page_request = "", None
    if location:
        await forms.answer(page_request, key, location)
    else:
        await forms.release(page_request, key)


async def keep_secret(
    unit: UnitOfWork,
    page_request: PageRequest,
    page: str,
    kind: str,
    visible: timedelta = NEW_VISIBLE,
    **values: str,
) -> None:
    """Show a secret on the page that this form redirects to, to this session alone and for a while."""
    assert page_request.signed_in is not None
    session, vault = page_request.signed_in.token_hash, page_request.parts.vault
    await shown_secrets.keep(unit, vault, session, page, kind, values, visible=visible)


async def secrets_on(unit: UnitOfWork, page_request: PageRequest, page: str) -> list[ShownSecret]:
    """The secrets that this session may see on a page now, latest first."""
    assert page_request.signed_in is not None
    return await shown_secrets.on_page(unit, page_request.parts.vault, page_request.signed_in.token_hash, page)
