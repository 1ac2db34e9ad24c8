"""AccessKey 管理: create (shown once), rotate with an overlap, disable, last use."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.responses import Response

from inkgate.service.accounts import repository as queries
from inkgate.service.accounts import service as accounts
from inkgate.service.accounts.models import AccessKeyRow
from inkgate.service.accounts.service import KeyPair
from inkgate.service.console.notices import explain
from inkgate.service.console.render import go, render
from inkgate.service.console.visit import Customer, Missing, Visit
from inkgate.service.db.work import UnitOfWork
from inkgate.service.errors import Misuse

router = APIRouter()


async def view(unit: UnitOfWork, account_id: str) -> list[tuple[AccessKeyRow, str]]:
    """The keys with their state: live, ending (rotated, works until `ends_at`), ended, disabled. Newest first."""
    now = await unit.now()
    rows = await queries.access_keys(unit.session, account_id)
    return [(row, _state(row, row.ends_at is not None and row.ends_at <= now)) for row in reversed(rows)]


def _state(row: AccessKeyRow, ended: bool) -> str:
    if row.disabled_at is not None:
        return "disabled"
    if ended:
        return "ended"
    return "live" if row.ends_at is None else "ending"


@router.get("/keys")
async def page(visit: Customer) -> Response:
    return await _show(visit)


@router.post("/keys")
async def create(visit: Customer) -> Response:
    assert visit.account is not None
    try:
        async with visit.begin() as unit:
            pair = await accounts.create_access_key(unit, visit.parts.vault, visit.account.id)
    except Misuse as problem:
        return await _show(visit, status=422, problem=explain(visit.words, problem))
    return await _show(visit, pair=pair)


@router.post("/keys/{ak}/rotate")
async def rotate(visit: Customer, ak: str) -> Response:
    try:
        async with visit.begin() as unit:
            await _own(unit, visit, ak)
            pair = await accounts.rotate_access_key(unit, visit.parts.vault, ak)
    except Misuse as problem:
        return await _show(visit, status=422, problem=explain(visit.words, problem))
    return await _show(visit, pair=pair)


@router.post("/keys/{ak}/disable")
async def disable(visit: Customer, ak: str) -> Response:
    async with visit.begin() as unit:
        await _own(unit, visit, ak)
        await accounts.disable_access_key(unit, ak)
    return go(visit, "/keys", "key-disabled")


@router.post("/keys/{ak}/enable")
async def enable(visit: Customer, ak: str) -> Response:
    async with visit.begin() as unit:
        await _own(unit, visit, ak)
        await accounts.disable_access_key(unit, ak, disabled=False)
    return go(visit, "/keys", "key-enabled")


async def _own(unit: UnitOfWork, visit: Visit, ak: str) -> None:
    key = await queries.access_key(unit.session, ak)
    if key is None or visit.account is None or key.account_id != visit.account.id:
        raise Missing


async def _show(visit: Visit, *, status: int = 200, problem: str = "", pair: KeyPair | None = None) -> Response:
    assert visit.account is not None
    async with visit.reading() as unit:
        rows = await view(unit, visit.account.id)
    return render(visit, "keys.html", status, rows=rows, problem=problem, pair=pair, most=accounts.KEYS_PER_ACCOUNT)
