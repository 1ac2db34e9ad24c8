"""我的应用 (manual 4.2): create, find, open capabilities, allow-lists, AppSecret after the password, delete."""

from __future__ import annotations

from dataclasses import dataclass

from fastapi import APIRouter
from starlette.responses import Response

from inkgate.service.accounts import repository as queries
from inkgate.service.accounts import rules
from inkgate.service.accounts import service as accounts
from inkgate.service.accounts.models import Account, AppRow, OpenedRow
from inkgate.service.console import repository
from inkgate.service.console.notices import explain
from inkgate.service.console.pages.entrance import prove
from inkgate.service.console.render import go, render
from inkgate.service.console.scope import Scope, own_app, scope_of
from inkgate.service.console.visit import Customer, Missing, Visit
from inkgate.service.contract.capabilities import CAPABILITIES
from inkgate.service.db.work import UnitOfWork
from inkgate.service.errors import Misuse

router = APIRouter()
PER_PAGE = 10


@dataclass(frozen=True, slots=True)
class Apps:
    """A page of apps: `opened` are the capabilities of each by its id."""

    rows: list[AppRow]
    opened: dict[str, list[str]]
    count: int
    page: int
    pages: int
    search: str


@dataclass(frozen=True, slots=True)
class AppDetail:
    """One app with what it has opened; `allowed` maps a capability ("" the whole app) to its networks."""

    app: AppRow
    opened: list[OpenedRow]
    closed: list[str]
    allowed: dict[str, list[str]]
    default_qps: float


async def view(unit: UnitOfWork, scope: Scope, search: str, page: int) -> Apps:
    """The live apps, newest first, ten a page."""
    count = await queries.count_apps(unit.session, scope.account_ids, search=search)
    pages = max(1, -(-count // PER_PAGE))
    page = min(max(page, 1), pages)
    rows = await queries.apps(
        unit.session, scope.account_ids, search=search, limit=PER_PAGE, offset=(page - 1) * PER_PAGE
    )
    opened = await repository.opened_by(unit.session, [each.id for each in rows])
    return Apps(rows, opened, count, page, pages, search)


async def detail(unit: UnitOfWork, app: AppRow, default_qps: float) -> AppDetail:
    """Everything of one app but its secret."""
    opened = await queries.opened_capabilities(unit.session, app.id)
    held = {each.capability for each in opened}
    closed = [name for name in CAPABILITIES if name not in held]
    return AppDetail(app, opened, closed, await repository.allowed_of(unit.session, app.id), default_qps)


@router.get("/apps")
async def page(visit: Customer, q: str = "", page: int = 1) -> Response:
    return await _list(visit, q[:30], page)


async def _list(visit: Visit, search: str = "", page: int = 1, *, status: int = 200, **more: str) -> Response:
    async with visit.reading() as unit:
        model = await view(unit, await scope_of(unit, _account(visit)), search, page)
    typed = {"name": "", "description": ""} | more
    return render(visit, "apps.html", status, model=model, most=accounts.APPS_PER_ACCOUNT, **typed)


@router.get("/apps/name")
async def check_name(visit: Customer, name: str = "") -> Response:
    """Whether a name may be taken, as it is typed: a fragment."""
    problem = ""
    if name:
        try:
            rules.app_name(name)
            async with visit.reading() as unit:
                if await queries.live_app_named(unit.session, name):
                    raise Misuse("app.name_taken", name=name)
        except Misuse as error:
            problem = explain(visit.words, error)
    return render(visit, "app_name.html", name=name, wrong=problem)


@router.post("/apps")
async def create(visit: Customer) -> Response:
    """Create an app and show its secret this once."""
    name, description = visit.text("name", 64), visit.text("description")
    try:
        async with visit.begin() as unit:
            new = await accounts.create_app(unit, visit.parts.vault, _account(visit).id, name, description=description)
    except Misuse as problem:
        return await _list(visit, status=422, problem=explain(visit.words, problem), name=name, description=description)
    return await _show(visit, new.app_id, secret=new.secret, fresh=True)


@router.get("/apps/{app_id}")
async def detail_page(visit: Customer, app_id: str) -> Response:
    return await _show(visit, app_id)


@router.post("/apps/{app_id}/secret")
async def secret(visit: Customer, app_id: str) -> Response:
    """Show the AppSecret to a user who enters the password."""
    password = visit.form.get("password", "")
    async with visit.reading() as unit:
        await own_app(unit, await scope_of(unit, _account(visit)), app_id)
    if not await prove(visit, password[:1024] if isinstance(password, str) else ""):
        wrong = visit.words("密码不正确，或已连续输错多次被锁定 15 分钟。")
        return await _show(visit, app_id, status=422, problem=wrong)
    async with visit.begin() as unit:
        found = await accounts.app_secret(unit, visit.parts.vault, app_id)
    return await _show(visit, app_id, secret=found)


@router.post("/apps/{app_id}/open")
async def open_capabilities(visit: Customer, app_id: str) -> Response:
    wanted = [name for name in CAPABILITIES if name in visit.form.getlist("capability")]
    if not wanted:
        return await _show(visit, app_id, status=422, problem=visit.words("请选择要开通的能力。"))
    async with visit.begin() as unit:
        await own_app(unit, await scope_of(unit, _account(visit)), app_id)
        for name in wanted:
            await accounts.open_capability(unit, app_id, name)
    return go(visit, f"/apps/{app_id}", "opened")


@router.post("/apps/{app_id}/allow")
async def allow(visit: Customer, app_id: str) -> Response:
    networks = visit.text("networks", 10_000).replace(",", "\n").split()
    capability = visit.text("capability")
    try:
        async with visit.begin() as unit:
            await own_app(unit, await scope_of(unit, _account(visit)), app_id)
            await accounts.set_allowed(unit, app_id, networks, capability=capability or None)
    except Misuse as problem:
        return await _show(visit, app_id, status=422, problem=explain(visit.words, problem))
    return go(visit, f"/apps/{app_id}", "allowed")


@router.post("/apps/{app_id}/delete")
async def delete(visit: Customer, app_id: str) -> Response:
    async with visit.begin() as unit:
        await own_app(unit, await scope_of(unit, _account(visit)), app_id)
        await accounts.delete_app(unit, app_id)
    return go(visit, "/apps", "app-deleted")


async def _show(
    visit: Visit, app_id: str, *, status: int = 200, problem: str = "", secret: str = "", fresh: bool = False
) -> Response:
    async with visit.reading() as unit:
        app = await own_app(unit, await scope_of(unit, _account(visit)), app_id)
        model = await detail(unit, app, visit.parts.settings.limits.qps)
    return render(visit, "app.html", status, model=model, problem=problem, secret=secret, fresh=fresh)


def _account(visit: Visit) -> Account:
    if visit.account is None:
        raise Missing
    return visit.account
