"""登录情况: the sessions of a user, and for administrators those of all users; each can be ended. What a session was
shown can be forgotten."""

from __future__ import annotations

from dataclasses import dataclass

from fastapi import APIRouter
from starlette.responses import Response

from inkgate.service.console import repository
from inkgate.service.console.browsers import browser_name
from inkgate.service.console.page_request import NotFound, Operator, PageRequest, SignedInRequest
from inkgate.service.console.paging import Page, Paging
from inkgate.service.console.parts import lifetime
from inkgate.service.console.render import go, render
from inkgate.service.users import administration, shown_secrets
from inkgate.service.users.administration import SessionLine

router = APIRouter()
PER_PAGE = 50


@dataclass(frozen=True, slots=True)
class Sessions:
    """A page of sessions. `accounts` maps the id of an account to its name."""

    page: Page[SessionLine]
    accounts: dict[str, str]


async def view(page_request: PageRequest, user_id: str | None, page: int) -> Sessions:
    """Live sessions of a user, or of all (None), last seen first."""
    assert page_request.signed_in is not None
    paging, lasts = Paging.of(page, PER_PAGE), lifetime(page_request.parts)
    async with page_request.reading() as unit:
        now = await unit.now()
        found = await administration.sessions(
            unit,
            current=page_request.signed_in.token_hash,
            seen_since=now - lasts.idle,
            begun_since=now - lasts.absolute,
            user_id=user_id,
            limit=paging.limit,
            offset=paging.offset,
        )
        shown = paging.page(found)
        named = [each.account_id for each in shown.rows if each.account_id]
        accounts = await repository.account_names(unit.session, named)
    return Sessions(shown, accounts)


@router.get("/sessions")
async def own_page(page_request: SignedInRequest, page: int = 1) -> Response:
    assert page_request.signed_in is not None
    model = await view(page_request, page_request.signed_in.user.id, page)
    return render(page_request, "sessions.html", model=model, own=True, browser_name=browser_name)


@router.post("/sessions/end")
async def end_own(page_request: SignedInRequest) -> Response:
    """End one of the user's sessions, or all but this one with `others` in the form. 404 for another user's."""
    assert page_request.signed_in is not None
    user, others = page_request.signed_in.user, page_request.flag("others")
    async with page_request.begin() as unit:
        if others:
            await administration.end_other_sessions(unit, user, page_request.signed_in.token_hash)
        elif not await administration.end_session(unit, page_request.text("session", 64), user_id=user.id):
            raise NotFound
    return go(page_request, "/sessions", "session-ended")


@router.post("/secrets/{secret_id}/forget")
async def forget_secret(page_request: SignedInRequest, secret_id: str) -> Response:
    """Show a secret of this session no longer: the user has saved it."""
    assert page_request.signed_in is not None
    async with page_request.begin() as unit:
        page = await shown_secrets.forget(unit, page_request.signed_in.token_hash, secret_id)
    if page is None:
        raise NotFound
    return go(page_request, page)


@router.get("/operator/sessions")
async def operator_page(page_request: Operator, page: int = 1) -> Response:
    model = await view(page_request, None, page)
    return render(page_request, "sessions.html", model=model, own=False, browser_name=browser_name)


@router.post("/operator/sessions/{session}/end")
async def end(page_request: Operator, session: str) -> Response:
    """End the session of any user."""
    async with page_request.begin() as unit:
        if not await administration.end_session(unit, session):
            raise NotFound
    return go(page_request, "/operator/sessions", "session-ended")
