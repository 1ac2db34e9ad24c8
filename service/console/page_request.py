"""The request of a page: user, language, permissions, form."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Annotated, Any

from fastapi import Depends
from starlette.datastructures import FormData
from starlette.requests import Request

from inkgate.service.accounts import repository as accounts
from inkgate.service.accounts.models import Account
from inkgate.service.accounts.rules import storable
from inkgate.service.audit import looks, trail
from inkgate.service.client_ip import client_ip
from inkgate.service.console.form_reading import TOKEN_CHARACTERS, checked_token, read_form
from inkgate.service.console.page_errors import Forbidden, Malformed, NotFound, PasswordChangeRequired, SignInRequired
from inkgate.service.console.parts import ConsoleDependencies, lifetime
from inkgate.service.console.places import numbered, place
from inkgate.service.console.translations import LANGUAGES, Translator, preferred_language
from inkgate.service.db import ids, work
from inkgate.service.db.work import Origin, UnitOfWork
from inkgate.service.errors import Misuse
from inkgate.service.permissions import Permission, Role, permissions_of
from inkgate.service.permissions.permission import OPEN
from inkgate.service.users import service as users
from inkgate.service.users import shown_secrets
from inkgate.service.users.administration import SESSION_NAME_LENGTH
from inkgate.service.users.models import OPERATOR
from inkgate.service.users.service import OIDC, PROVIDER_METHODS, SignedIn, Visit

SESSION_COOKIE = "inkgate_session"
FORM_COOKIE = "inkgate_form"
LANGUAGE_COOKIE = "inkgate_language"
THEME_COOKIE = "inkgate_theme"
THEMES = ("auto", "light", "dark")
ANONYMOUS = "anonymous"  # the actor of requests without a session
POLL_HEADER = "x-poll"
"""Header of automatic refreshes, which must not extend the session of an absent user."""

__all__ = ["AnyRequest", "Customer", "Forbidden", "Malformed", "NotFound", "Operator", "PageRequest", "SignedInRequest"]
"""What page functions need, with the errors that they raise."""


@dataclass(slots=True)
class PageRequest:
    """The request as page functions receive it. `form` is empty on GET."""

    request: Request
    parts: ConsoleDependencies
    translate: Translator
    theme: str
    form: FormData
    csrf: str
    signed_in: SignedIn | None = None
    account: Account | None = None
    suspended: bool = False  # the account, or the main account that pays for it
    form_token: str = field(default="", repr=False)  # as the form carried it, different for each page shown
    fresh_form_cookie: str | None = field(default=None, repr=False)

    @property
    def root(self) -> str:
        """The path under which the console is mounted, "/console" or ""."""
        return str(self.request.scope.get("root_path", "")).rstrip("/")

    @property
    def place(self) -> str:
        """The page that is shown, with its query: where to return after a form that belongs to no page."""
        url = self.request.url
        return place(url.path.removeprefix(self.root), url.query)

    def list_address(self, name: str, number: int) -> str:
        """The address of another page of a list: this page with its filters, and the list's parameter `name`."""
        return f"{self.root}{numbered(self.place, name, number)}"

    @property
    def login(self) -> str:
        return self.signed_in.user.login if self.signed_in else ""

    @property
    def operator(self) -> bool:
        return self.signed_in is not None and self.signed_in.user.role == OPERATOR

    @property
    def role(self) -> Role | None:
        """The role of the user; None before the sign-in."""
        return self.signed_in.user.held_role if self.signed_in else None

    @property
    def must_change_password(self) -> bool:
        """Whether the password was set by another user or is older than the settings allow."""
        signed = self.signed_in
        if signed is None or signed.method in PROVIDER_METHODS:
            return False
        days = self.parts.settings.access.password_days
        since = signed.user.password_at or signed.user.created_at
        return signed.user.must_change or (days > 0 and signed.checked_at - since > timedelta(days=days))

    @property
    def must_set_up_factor(self) -> bool:
        """Whether the role requires a second factor that the user has not set up. A provider asks for its own."""
        signed = self.signed_in
        if signed is None or signed.method == OIDC or signed.user.factor_at is not None:
            return False
        return signed.user.held_role in self.parts.settings.access.second_factor

    @property
    def client_address(self) -> str:
        """The address of the client: the peer, or what trusted proxies name."""
        peer = self.request.client.host if self.request.client else ""
        return client_ip(peer, self.request.headers.get("x-forwarded-for", ""), self.parts.trusted_proxies)

    def may(self, permission: str) -> bool:
        """Whether the user has this permission, by its name; for templates as well. Raises ValueError for another."""
        wanted = Permission(permission)
        separate = self.parts.settings.access.separate_duties
        return wanted in OPEN or wanted in permissions_of(self.role, separate=separate)

    @property
    def has_duties(self) -> bool:
        """Whether the role may do anything at all; the all-in-one operator may not while duties are separate."""
        return bool(permissions_of(self.role, separate=self.parts.settings.access.separate_duties))

    @property
    def actor(self) -> str:
        """Who acts, for the audit trail."""
        return f"console:{self.login}" if self.login else ANONYMOUS

    @property
    def origin(self) -> Origin:
        """Where the request came from. The session is named by a part of its hash, which opens nothing."""
        session = self.signed_in.token_hash[:SESSION_NAME_LENGTH] if self.signed_in else None
        return Origin("console", self.client_address or None, session)

    def begin(self) -> AbstractAsyncContextManager[UnitOfWork]:
        """A unit of work with this user as its actor; commits at the end of the block."""
        return work.unit_of_work(self.parts.engine, self.actor, self.parts.clock, self.origin)

    async def record(
        self, action: str, subject: str, account_id: str | None = None, *, result: trail.Result = "done", **detail: Any
    ) -> None:
        """Record an event that changes nothing: an export, a refusal, a secret that is shown."""
        async with self.begin() as unit:
            await trail.record(unit, action, subject, account_id, result=result, **detail)

    async def record_look(self, action: str, subject: str, account_id: str | None = None) -> None:
        """Record that the user looks at data of others, once in a while."""
        look = looks.Look(self.actor, self.origin, action, subject, account_id)
        await looks.record(self.parts.engine, self.parts.clock, look)

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[UnitOfWork]:
        """A read-only unit of work."""
        async with work.read_session(self.parts.engine) as session:
            yield UnitOfWork(session, self.actor, self.parts.clock, self.origin)

    @property
    def signed_in_account(self) -> str | None:
        """The account of a customer's user."""
        return self.account.id if self.account else None

    def text(self, name: str, limit: int = 500) -> str:
        """A form field, stripped. Raises Misuse above `limit` characters: what was typed is never cut."""
        value = self.form.get(name, "")
        if not isinstance(value, str):
            return ""
        value = value.strip()
        if len(value.replace("\r\n", "\n")) > limit:
            raise Misuse("form.too_long", most=limit)
        return value

    def flag(self, name: str) -> bool:
        """Whether a form switch is set. Raises Malformed for a value other than "" and "1"."""
        value = self.text(name)
        if value not in ("", "1"):
            raise Malformed
        return bool(value)


async def any_request(request: Request) -> PageRequest:
    """The request of any user, signed in or not. A POST must carry the form token of its session or form cookie.

    Raises Malformed and Forbidden.
    """
    parts: ConsoleDependencies = request.app.state.parts
    form = await read_form(request) if request.method == "POST" else FormData()
    if any(not storable(text) for item in form.multi_items() for text in item if isinstance(text, str)):
        raise Malformed
    cookies = request.cookies
    theme = cookies.get(THEME_COOKIE, "auto")
    theme = theme if theme in THEMES else "auto"
    page_request = PageRequest(request, parts, Translator(language_of(request)), theme, form, "")
    token = cookies.get(SESSION_COOKIE)
    if token:
        async with page_request.reading() as unit:
            page_request.signed_in = await users.session_of_token(unit, token, lifetime(parts))
            if page_request.signed_in and page_request.signed_in.user.account_id:
                page_request.account = await accounts.account(unit.session, page_request.signed_in.user.account_id)
                page_request.suspended = await _is_suspended(unit, page_request.account)
    _form_token(page_request)
    if request.method == "POST":
        signed_in = page_request.signed_in is not None
        page_request.form_token = checked_token(request, form, page_request.csrf, signed_in=signed_in)
    await _touch(page_request)
    return page_request


def language_of(request: Request) -> str:
    """The language that the user chose, else the one that the browser prefers."""
    chosen = request.cookies.get(LANGUAGE_COOKIE, "")
    return chosen if chosen in LANGUAGES else preferred_language(request.headers.get("accept-language", ""))


async def _is_suspended(unit: UnitOfWork, account: Account | None) -> bool:
    """Whether the calls of an account are stopped: its own or those of its main account."""
    if account is None or account.suspended_at is not None or account.parent_id is None:
        return account is not None and account.suspended_at is not None
    main = await accounts.account(unit.session, account.parent_id)
    return main is not None and main.suspended_at is not None


async def signed_in(page_request: Annotated[PageRequest, Depends(any_request)]) -> PageRequest:
    """The request of a signed-in user. Raises SignInRequired."""
    if page_request.signed_in is None:
        raise SignInRequired
    return page_request


async def signed_in_with_own_password(page_request: Annotated[PageRequest, Depends(signed_in)]) -> PageRequest:
    """As `signed_in`, with a password that the user has chosen. Raises PasswordChangeRequired."""
    if page_request.must_change_password:
        raise PasswordChangeRequired
    return page_request


async def customer(page_request: Annotated[PageRequest, Depends(signed_in_with_own_password)]) -> PageRequest:
    """The request of a customer's user. Raises Forbidden."""
    if page_request.account is None:
        raise Forbidden
    return page_request


async def operator(page_request: Annotated[PageRequest, Depends(signed_in_with_own_password)]) -> PageRequest:
    """The request of an operator. Raises Forbidden."""
    if not page_request.operator:
        raise Forbidden
    request = page_request.request
    if request.method == "GET" and POLL_HEADER not in request.headers:
        values = {**request.query_params, **request.path_params}
        account_id = values.get("account_id") or values.get("account") or ""
        route = request.scope["route"].path.removeprefix("/operator/")
        await page_request.record_look(
            "operator.view", f"page {route}", account_id if ids.is_canonical_uuid(account_id) else None
        )
    return page_request


AnyRequest = Annotated[PageRequest, Depends(any_request)]
SignedInRequest = Annotated[PageRequest, Depends(signed_in)]
Customer = Annotated[PageRequest, Depends(customer)]
Operator = Annotated[PageRequest, Depends(operator)]


def visit_of(page_request: PageRequest) -> Visit:
    """Address and browser of a request, for the list of sessions. The browser's text is cut to printable ASCII."""
    agent = page_request.request.headers.get("user-agent", "")
    return Visit(page_request.client_address, "".join(each for each in agent if " " <= each <= "~"))


def _form_token(page_request: PageRequest) -> None:
    if page_request.signed_in is not None:
        page_request.csrf = page_request.signed_in.csrf
        return
    held = page_request.request.cookies.get(FORM_COOKIE, "")
    if len(held) == TOKEN_CHARACTERS:
        page_request.csrf = held
    else:
        page_request.csrf = page_request.fresh_form_cookie = secrets.token_urlsafe(32)


async def _touch(page_request: PageRequest) -> None:
    signed = page_request.signed_in
    if signed is None or POLL_HEADER in page_request.request.headers:
        return
    async with page_request.reading() as unit:
        stale = await unit.now() - signed.seen_at > users.SEEN_INTERVAL
    if stale:
        async with page_request.begin() as unit:
            await users.touch(unit, signed.token_hash)
            await shown_secrets.delete_expired(unit)
