"""The command palette: pages of the menu, apps, orders and accounts that match a few characters."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from fastapi import APIRouter
from starlette.responses import Response

from inkgate.service.accounts import repository as accounts
from inkgate.service.accounts.models import Account
from inkgate.service.console import repository
from inkgate.service.console.menu import MenuEntry, menu
from inkgate.service.console.page_request import PageRequest, SignedInRequest
from inkgate.service.console.render import render
from inkgate.service.console.scope import scope_of
from inkgate.service.db.work import UnitOfWork
from inkgate.service.permissions import Permission

router = APIRouter()
MAX_CHARACTERS = 64
MAX_FOUND = 6  # of each kind


@dataclass(frozen=True, slots=True)
class Target:
    """One result: where it leads, and a `hint` for results of the same name."""

    path: str
    icon: str
    text: str
    hint: str = ""


@router.get("/palette")
async def fragment(page_request: SignedInRequest, q: str = "") -> Response:
    """The results for `q`; without characters all pages of the menu. Others' data are never among them."""
    text = q.strip()[:MAX_CHARACTERS]
    _ = page_request.translate
    groups = [(_("页面"), list(_pages(page_request, text)))]
    if text and "\0" not in text:
        async with page_request.reading() as unit:
            groups += await (_of_operator if page_request.operator else _of_customer)(unit, page_request, text)
        if page_request.operator and any(found for _name, found in groups[1:]):
            await page_request.record_look("operator.view", "page palette")
    return render(page_request, "palette.html", groups=[each for each in groups if each[1]], text=text)


def _pages(page_request: PageRequest, text: str) -> Iterator[Target]:
    """The pages of the menu whose name, or the last segment of whose path, contains the text.

    Names that begin with it come first, then other names, then paths.
    """
    wanted = text.lower()

    def rank(entry: MenuEntry) -> int | None:
        name, segment = entry.text.lower(), entry.path.rpartition("/")[2]
        matches = (name.startswith(wanted), wanted in name, wanted in segment)
        return next((number for number, found in enumerate(matches) if found), None)

    ranked = [(rank(entry), heading, entry) for heading, entries in menu(page_request) for entry in entries]
    found = [(number, heading, entry) for number, heading, entry in ranked if number is not None]
    for _number, heading, entry in sorted(found, key=lambda each: each[0]):
        yield Target(entry.path, entry.icon, entry.text, heading)


async def _of_customer(unit: UnitOfWork, page_request: PageRequest, text: str) -> list[tuple[str, list[Target]]]:
    """Apps and orders of the own account and its sub-accounts."""
    assert page_request.account is not None
    _, groups = page_request.translate, []
    scope = await scope_of(unit, page_request.account)
    if page_request.may(Permission.APPS_SEE):
        apps = await accounts.apps(unit.session, scope.account_ids, search=text, limit=MAX_FOUND)
        others = {each.account_id for each in apps} - {page_request.account.id}
        owners = await repository.account_names(unit.session, sorted(others))
        found = [Target(f"/apps/{each.id}", "box", each.name, owners.get(each.account_id, "")) for each in apps]
        groups.append((_("应用"), found))
    if page_request.may(Permission.PURCHASES_SEE):
        numbers = await repository.orders_matching(unit.session, text, scope.account_ids, MAX_FOUND)
        groups.append((_("订单"), [Target(f"/orders/{number}", "list", number) for number, _account in numbers]))
    return groups


async def _of_operator(unit: UnitOfWork, page_request: PageRequest, text: str) -> list[tuple[str, list[Target]]]:
    """Accounts by their names, and by those of their apps and the numbers of their orders."""
    if not page_request.may(Permission.ACCOUNTS_SEE):
        return []
    _ = page_request.translate

    def target(icon: str, name: str, account: Account) -> Target:
        return Target(f"/operator/accounts/{account.id}", icon, name, account.name if name != account.name else "")

    named = await accounts.accounts(unit.session, search=text, limit=MAX_FOUND)
    apps = await repository.apps_matching(unit.session, text, MAX_FOUND)
    groups = [
        (_("账号"), [target("people", each.name, each) for each in named]),
        (_("应用"), [target("box", name, account) for name, account in apps]),
    ]
    if page_request.may(Permission.SALES_SEE):
        orders = await repository.orders_matching(unit.session, text, None, MAX_FOUND)
        groups.append((_("订单"), [target("list", number, account) for number, account in orders]))
    return groups
