"""我的应用 (manual 4.2): create, find, open capabilities, allow-lists, AppSecret after the password, delete."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from fastapi import APIRouter
from starlette.responses import Response

from inkgate.service.accounts import repository as queries
from inkgate.service.accounts import rules
from inkgate.service.accounts import service as accounts
from inkgate.service.accounts.models import Account, AppRow, OpenedRow
from inkgate.service.console import repository
from inkgate.service.console.forms import keep_secret, secrets_on
from inkgate.service.console.notices import explain
from inkgate.service.console.page_request import Customer, NotFound, PageRequest
from inkgate.service.console.pages.sign_in import not_proved, password_of, prove
from inkgate.service.console.render import go, render
from inkgate.service.console.scope import VisibleAccounts, app_labels, scope_of, visible_app
from inkgate.service.contract.capabilities import CAPABILITIES
from inkgate.service.db.work import UnitOfWork
from inkgate.service.errors import Misuse
from inkgate.service.users.shown_secrets import REVEALED_VISIBLE

router = APIRouter()
PER_PAGE = 10
MAX_LIST_CHARACTERS = 10_000  # of an allow-list as it is typed


@dataclass(frozen=True, slots=True)
class Apps:
    """A page of apps. `opened` maps an app id to its capabilities, `labels` to the text that names it; `owners` maps
    account ids to names."""

    rows: list[AppRow]
    opened: dict[str, list[str]]
    labels: dict[str, str]
    owners: dict[str, str]
    count: int
    page: int
    pages: int
    search: str


@dataclass(frozen=True, slots=True)
class AppDetail:
    """One app with its capabilities. `label` names it among all visible apps, `account` is the name of its account;
    `allowed` maps a capability ("" for the whole app) to its networks."""

    app: AppRow
    label: str
    account: str
    opened: list[OpenedRow]
    closed: list[str]
    allowed: dict[str, list[str]]
    default_qps: float


async def view(unit: UnitOfWork, scope: VisibleAccounts, search: str, page: int) -> Apps:
    """The live apps, newest first, ten per page."""
    count = await queries.count_apps(unit.session, scope.account_ids, search=search)
    pages = max(1, -(-count // PER_PAGE))
    page = min(max(page, 1), pages)
    rows = await queries.apps(
        unit.session, scope.account_ids, search=search, limit=PER_PAGE, offset=(page - 1) * PER_PAGE
    )
    opened = await repository.opened_by(unit.session, [each.id for each in rows])
    labels = await app_labels(unit, [each.id for each in rows], scope.family)
    owners = await repository.account_names(unit.session, sorted({each.account_id for each in rows}))
    return Apps(rows, opened, labels, owners, count, page, pages, search)


async def detail(unit: UnitOfWork, scope: VisibleAccounts, app: AppRow, default_qps: float) -> AppDetail:
    """The details of one app, without its secret."""
    opened = await queries.opened_capabilities(unit.session, app.id)
    held = {each.capability for each in opened}
    closed = [name for name in CAPABILITIES if name not in held]
    allowed = await repository.allowed_of(unit.session, app.id)
    labels = await app_labels(unit, [app.id], scope.family)
    owners = await repository.account_names(unit.session, [app.account_id])
    return AppDetail(app, labels[app.id], owners[app.account_id], opened, closed, allowed, default_qps)


@router.get("/apps")
async def page(page_request: Customer, q: str = "", page: int = 1) -> Response:
    return await _list(page_request, q[:30], page)


async def _list(
    page_request: PageRequest, search: str = "", page: int = 1, *, status: int = 200, **more: str
) -> Response:
    async with page_request.reading() as unit:
        model = await view(unit, await scope_of(unit, _account(page_request)), search, page)
    typed = {"name": "", "description": ""} | more
    most = accounts.APPS_PER_ACCOUNT
    return render(page_request, "apps.html", status, model=model, most=most, **typed)


@router.get("/apps/name")
async def check_name(page_request: Customer, name: str = "") -> Response:
    """Fragment: whether a name is valid and free, while it is typed."""
    problem = ""
    if name:
        try:
            rules.app_name(name)
            async with page_request.reading() as unit:
                if await queries.live_app_named(unit.session, _account(page_request).id, name):
                    raise Misuse("app.name_taken", name=name)
        except Misuse as error:
            problem = explain(page_request.translate, error)
    return render(page_request, "app_name.html", name=name, wrong=problem)


@router.post("/apps")
async def create(page_request: Customer) -> Response:
    """Create an app; its page shows the secret for some minutes."""
    name, description = page_request.text("name"), page_request.text("description", MAX_LIST_CHARACTERS)
    try:
        async with page_request.begin() as unit:
            new = await accounts.create_app(
                unit, page_request.parts.vault, _account(page_request).id, name, description=description
            )
            where = f"/apps/{new.app_id}"
            await keep_secret(unit, page_request, where, "app", appkey=new.appkey, secret=new.secret)
    except Misuse as problem:
        return await _list(
            page_request,
            status=422,
            problem=explain(page_request.translate, problem),
            name=name,
            description=description,
        )
    return go(page_request, where)


@router.get("/apps/{app_id}")
async def detail_page(page_request: Customer, app_id: str) -> Response:
    return await _render_detail(page_request, app_id)


@router.post("/apps/{app_id}/secret")
async def secret(page_request: Customer, app_id: str) -> Response:
    """Show the AppSecret for a minute, after the password has been verified."""
    async with page_request.reading() as unit:
        await visible_app(unit, await scope_of(unit, _account(page_request)), app_id)
    if not await prove(page_request, password_of(page_request)):
        return await _render_detail(page_request, app_id, status=422, problem=not_proved(page_request))
    async with page_request.begin() as unit:
        found = await accounts.app_secret(unit, page_request.parts.vault, app_id)
        await keep_secret(unit, page_request, f"/apps/{app_id}", "app-revealed", REVEALED_VISIBLE, secret=found)
    return go(page_request, f"/apps/{app_id}")


@router.post("/apps/{app_id}/open")
async def open_capabilities(page_request: Customer, app_id: str) -> Response:
    wanted = [name for name in CAPABILITIES if name in page_request.form.getlist("capability")]
    if not wanted:
        return await _render_detail(
            page_request, app_id, status=422, problem=page_request.translate("请选择要开通的能力。")
        )
    async with page_request.begin() as unit:
        await visible_app(unit, await scope_of(unit, _account(page_request)), app_id)
        for name in wanted:
            await accounts.open_capability(unit, app_id, name)
    return go(page_request, f"/apps/{app_id}", "opened")


@router.post("/apps/{app_id}/allow")
async def set_allow_list(page_request: Customer, app_id: str) -> Response:
    networks = page_request.text("networks", MAX_LIST_CHARACTERS).replace(",", "\n").split()
    capability = page_request.text("capability")
    try:
        async with page_request.begin() as unit:
            await visible_app(unit, await scope_of(unit, _account(page_request)), app_id)
            await accounts.set_allowed(unit, app_id, networks, capability=capability or None)
    except Misuse as problem:
        said = explain(page_request.translate, problem)
        typed = {capability: page_request.text("networks", MAX_LIST_CHARACTERS)}
        return await _render_detail(page_request, app_id, status=422, problem=said, typed=typed)
    return go(page_request, f"/apps/{app_id}", "allowed")


@router.post("/apps/{app_id}/delete")
async def delete(page_request: Customer, app_id: str) -> Response:
    async with page_request.begin() as unit:
        await visible_app(unit, await scope_of(unit, _account(page_request)), app_id)
        await accounts.delete_app(unit, app_id)
    return go(page_request, "/apps", "app-deleted")


async def _render_detail(
    page_request: PageRequest,
    app_id: str,
    *,
    status: int = 200,
    problem: str = "",
    typed: Mapping[str, str] = MappingProxyType({}),
) -> Response:
    """`typed`: capability ("" for the whole app) → the allow-list that was refused."""
    async with page_request.reading() as unit:
        scope = await scope_of(unit, _account(page_request))
        app = await visible_app(unit, scope, app_id)
        model = await detail(unit, scope, app, page_request.parts.settings.limits.qps)
        secrets = await secrets_on(unit, page_request, f"/apps/{app_id}")
    return render(page_request, "app.html", status, model=model, problem=problem, secrets=secrets, typed=typed)


def _account(page_request: PageRequest) -> Account:
    if page_request.account is None:
        raise NotFound
    return page_request.account
