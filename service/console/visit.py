"""One visit to one page: who asks, in which language, with which rights, and the form that came along."""

from __future__ import annotations

import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from operator import xor
from typing import Annotated
from urllib.parse import urlsplit

from fastapi import Depends, HTTPException
from starlette.datastructures import FormData
from starlette.formparsers import FormParser, MultiPartException, MultiPartParser
from starlette.requests import Request

from inkgate.service.accounts import repository as accounts
from inkgate.service.accounts.models import Account
from inkgate.service.accounts.rules import storable
from inkgate.service.console.catalogue import Words
from inkgate.service.console.parts import Parts
from inkgate.service.db import work
from inkgate.service.db.work import UnitOfWork
from inkgate.service.users import service as users
from inkgate.service.users.models import OPERATOR
from inkgate.service.users.service import Lifetime, SignedIn

SESSION_COOKIE = "inkgate_session"
FORM_COOKIE = "inkgate_form"
LANGUAGE_COOKIE = "inkgate_language"
THEME_COOKIE = "inkgate_theme"
THEMES = ("auto", "light", "dark")
FORM_BYTES = 64 * 1024  # of a form without its file; parsing them takes 40 ms of the event loop at worst
_FIELDS, _FILES = 100, 1
POLL_HEADER = "x-poll"
"""A page that fetches itself again says so: it must not keep alive the session of somebody who went away."""


class SignInNeeded(Exception):
    """Nobody is signed in; the browser goes to the login page."""


class PasswordChangeNeeded(Exception):
    """The password was given by somebody else and comes first."""


class Forbidden(Exception):
    """Signed in, but this page is not for this user, or the form did not come from our page."""


class Missing(Exception):
    """There is no such thing, or it belongs to somebody else; which of the two is not told."""


class Malformed(Exception):
    """The address or the form holds what none of our pages sends."""


@dataclass(slots=True)
class Visit:
    """What every page function gets. `form` is empty on GET."""

    request: Request
    parts: Parts
    words: Words
    theme: str
    form: FormData
    csrf: str
    signed_in: SignedIn | None = None
    account: Account | None = None
    fresh_form_cookie: str | None = field(default=None, repr=False)

    @property
    def root(self) -> str:
        """The path under which the console is mounted, "/console" or ""."""
        return str(self.request.scope.get("root_path", "")).rstrip("/")

    @property
    def login(self) -> str:
        return self.signed_in.user.login if self.signed_in else ""

    @property
    def operator(self) -> bool:
        return self.signed_in is not None and self.signed_in.user.role == OPERATOR

    def begin(self) -> AbstractAsyncContextManager[UnitOfWork]:
        """A unit of work in this user's name; commits at the end of the block."""
        return work.unit_of_work(self.parts.engine, f"console:{self.login or '-'}", self.parts.clock)

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[UnitOfWork]:
        """A unit of work that only reads."""
        async with work.read_session(self.parts.engine) as session:
            yield UnitOfWork(session, f"console:{self.login or '-'}", self.parts.clock)

    def text(self, name: str, limit: int = 500) -> str:
        """A field of the form, without blanks around it, cut at `limit`."""
        value = self.form.get(name, "")
        return value.strip()[:limit] if isinstance(value, str) else ""

    def flag(self, name: str) -> bool:
        """Whether a switch of the form is set. Raises Malformed for a value that none of our forms sends."""
        value = self.text(name)
        if value not in ("", "1"):
            raise Malformed
        return bool(value)


async def anyone(request: Request) -> Visit:
    """A visit by whoever it is. An unsafe method must carry the form token of its session or of its form cookie."""
    parts: Parts = request.app.state.parts
    form = await _form(request) if request.method == "POST" else FormData()
    if any(not storable(text) for item in form.multi_items() for text in item if isinstance(text, str)):
        raise Malformed
    cookies = request.cookies
    theme = cookies.get(THEME_COOKIE, "auto")
    theme = theme if theme in THEMES else "auto"
    visit = Visit(request, parts, Words(cookies.get(LANGUAGE_COOKIE, "zh")), theme, form, "")
    token = cookies.get(SESSION_COOKIE)
    if token:
        async with visit.reading() as unit:
            visit.signed_in = await users.session_of_token(unit, token, lifetime(parts))
            if visit.signed_in and visit.signed_in.user.account_id:
                visit.account = await accounts.account(unit.session, visit.signed_in.user.account_id)
    _form_token(visit)
    if request.method == "POST":
        _check_form(visit)
    await _touch(visit)
    return visit


class _InMemory(MultiPartParser):
    """Keeps an upload in memory whatever its size (the body's bound is its bound): images never lie on a disk."""

    spool_max_size = 0


async def _form(request: Request) -> FormData:
    """The form that came along, within bounds. Raises HTTPException 400 for one that is malformed or passes them."""
    kind = request.headers.get("content-type", "").split(";")[0].strip().lower()
    bounds = {"max_fields": _FIELDS, "max_part_size": FORM_BYTES}
    try:
        if kind == "multipart/form-data":
            return await _InMemory(request.headers, request.stream(), max_files=_FILES, **bounds).parse()
        if kind == "application/x-www-form-urlencoded":
            return await FormParser(request.headers, request.stream(), **bounds).parse()
    except MultiPartException as error:
        raise HTTPException(400, error.message) from None
    return FormData()


async def signed_in(visit: Annotated[Visit, Depends(anyone)]) -> Visit:
    """A visit by somebody who signed in. Raises SignInNeeded."""
    if visit.signed_in is None:
        raise SignInNeeded
    return visit


async def settled_in(visit: Annotated[Visit, Depends(signed_in)]) -> Visit:
    """As `signed_in`, with a password of their own choice. Raises PasswordChangeNeeded."""
    assert visit.signed_in is not None
    if visit.signed_in.user.must_change:
        raise PasswordChangeNeeded
    return visit


async def customer(visit: Annotated[Visit, Depends(settled_in)]) -> Visit:
    """A visit by a customer's user. Raises Forbidden."""
    if visit.account is None:
        raise Forbidden
    return visit


async def operator(visit: Annotated[Visit, Depends(settled_in)]) -> Visit:
    """A visit by an operator. Raises Forbidden."""
    if not visit.operator:
        raise Forbidden
    return visit


Anyone = Annotated[Visit, Depends(anyone)]
Signed = Annotated[Visit, Depends(signed_in)]
Customer = Annotated[Visit, Depends(customer)]
Operator = Annotated[Visit, Depends(operator)]


def lifetime(parts: Parts) -> Lifetime:
    """How long sessions last, from the settings."""
    console = parts.settings.console
    return Lifetime(timedelta(minutes=console.idle_minutes), timedelta(hours=console.session_hours))


def _form_token(visit: Visit) -> None:
    if visit.signed_in is not None:
        visit.csrf = visit.signed_in.csrf
        return
    held = visit.request.cookies.get(FORM_COOKIE, "")
    if len(held) == 43:
        visit.csrf = held
    else:
        visit.csrf = visit.fresh_form_cookie = secrets.token_urlsafe(32)


def _check_form(visit: Visit) -> None:
    headers = visit.request.headers
    if headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
        raise Forbidden
    origin = headers.get("origin")
    if origin is not None and urlsplit(origin).netloc != headers.get("host"):
        raise Forbidden
    given = visit.form.get("csrf") or headers.get("x-csrf-token") or ""
    if not isinstance(given, str) or not secrets.compare_digest(_unmasked(given), visit.csrf.encode()):
        raise Forbidden


def masked(token: str) -> str:
    """The form token as a page carries it: in other letters every time.

    Pages are compressed, and some repeat what the address says; of letters that stay the same, the length of the
    answer could be made to tell one after the other (BREACH).
    """
    pad = secrets.token_bytes(len(token))
    return urlsafe_b64encode(pad + bytes(map(xor, pad, token.encode()))).decode()


def _unmasked(given: str) -> bytes:
    try:
        both = urlsafe_b64decode(given.encode())
    except ValueError:
        return b""
    half = len(both) // 2
    return bytes(map(xor, both[:half], both[half:]))


async def _touch(visit: Visit) -> None:
    signed = visit.signed_in
    if signed is None or POLL_HEADER in visit.request.headers:
        return
    async with visit.reading() as unit:
        stale = await unit.now() - signed.seen_at > users.SEEN_INTERVAL
    if stale:
        async with visit.begin() as unit:
            await users.touch(unit, signed.token_hash)
