"""AccessKey 管理: create, rotate with an overlap, see the secret again after the password, disable, last use."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.responses import Response

from inkgate.service.accounts import repository as queries
from inkgate.service.accounts import service as accounts
from inkgate.service.accounts.models import AccessKeyRow
from inkgate.service.console.forms import keep_secret, secrets_on
from inkgate.service.console.notices import explain
from inkgate.service.console.page_request import Customer, NotFound, PageRequest
from inkgate.service.console.pages.sign_in import not_proved, password_of, prove
from inkgate.service.console.paging import Page, Paging
from inkgate.service.console.render import go, render
from inkgate.service.db.work import UnitOfWork
from inkgate.service.errors import Misuse
from inkgate.service.users.shown_secrets import REVEALED_VISIBLE

router = APIRouter()
PER_PAGE = 20  # rotated and disabled keys stay in the list


async def view(unit: UnitOfWork, account_id: str, page: int = 1) -> Page[tuple[AccessKeyRow, str]]:
    """The keys, newest first, with their state: live, ending (rotated, valid until `ends_at`), ended or disabled."""
    now, paging = await unit.now(), Paging.of(page, PER_PAGE)
    found = await queries.newest_access_keys(unit.session, account_id, limit=paging.limit, offset=paging.offset)
    shown = paging.page(found)
    return shown.of([(row, _state(row, row.ends_at is not None and row.ends_at <= now)) for row in shown.rows])


def _state(row: AccessKeyRow, ended: bool) -> str:
    if row.disabled_at is not None:
        return "disabled"
    if ended:
        return "ended"
    return "live" if row.ends_at is None else "ending"


def may_reveal(page_request: PageRequest) -> bool:
    """Whether the user can see the secret of a key again, after the password."""
    return page_request.parts.settings.console.reveal_keys and page_request.may("keys.change")


@router.get("/keys")
async def page(page_request: Customer, page: int = 1) -> Response:
    return await _render_page(page_request, page=page)


@router.post("/keys")
async def create(page_request: Customer) -> Response:
    assert page_request.account is not None
    try:
        async with page_request.begin() as unit:
            pair = await accounts.create_access_key(unit, page_request.parts.vault, page_request.account.id)
            await keep_secret(unit, page_request, "/keys", "key", ak=pair.ak, sk=pair.sk)
    except Misuse as problem:
        return await _render_page(page_request, status=422, problem=explain(page_request.translate, problem))
    return go(page_request, "/keys", "key-created")


@router.post("/keys/{ak}/rotate")
async def rotate(page_request: Customer, ak: str) -> Response:
    try:
        async with page_request.begin() as unit:
            await _require_own_key(unit, page_request, ak)
            pair = await accounts.rotate_access_key(unit, page_request.parts.vault, ak)
            await keep_secret(unit, page_request, "/keys", "key", ak=pair.ak, sk=pair.sk)
    except Misuse as problem:
        return await _render_page(page_request, status=422, problem=explain(page_request.translate, problem))
    return go(page_request, "/keys", "key-created")


@router.post("/keys/{ak}/secret")
async def secret(page_request: Customer, ak: str) -> Response:
    """Show the SecurityKey for a minute, after the password has been verified. 404 where the setting forbids it."""
    if not page_request.parts.settings.console.reveal_keys:
        raise NotFound
    async with page_request.reading() as unit:
        await _require_own_key(unit, page_request, ak)
    if not await prove(page_request, password_of(page_request)):
        return await _render_page(page_request, status=422, problem=not_proved(page_request))
    async with page_request.begin() as unit:
        sk = await accounts.access_key_secret(unit, page_request.parts.vault, ak)
        await keep_secret(unit, page_request, "/keys", "key-revealed", REVEALED_VISIBLE, ak=ak, sk=sk)
    return go(page_request, "/keys")


@router.post("/keys/{ak}/disable")
async def disable(page_request: Customer, ak: str) -> Response:
    async with page_request.begin() as unit:
        await _require_own_key(unit, page_request, ak)
        await accounts.disable_access_key(unit, ak)
    return go(page_request, "/keys", "key-disabled")


@router.post("/keys/{ak}/enable")
async def enable(page_request: Customer, ak: str) -> Response:
    async with page_request.begin() as unit:
        await _require_own_key(unit, page_request, ak)
        await accounts.disable_access_key(unit, ak, disabled=False)
    return go(page_request, "/keys", "key-enabled")


async def _require_own_key(unit: UnitOfWork, page_request: PageRequest, ak: str) -> None:
    key = await queries.access_key(unit.session, ak)
    if key is None or page_request.account is None or key.account_id != page_request.account.id:
        raise NotFound


async def _render_page(page_request: PageRequest, *, status: int = 200, problem: str = "", page: int = 1) -> Response:
    assert page_request.account is not None
    async with page_request.reading() as unit:
        shown = await view(unit, page_request.account.id, page)
        secrets = await secrets_on(unit, page_request, "/keys")
    return render(
        page_request,
        "keys.html",
        status,
        rows=shown.rows,
        page=shown,
        problem=problem,
        secrets=secrets,
        most=accounts.KEYS_PER_ACCOUNT,
        may_reveal=may_reveal(page_request),
    )
