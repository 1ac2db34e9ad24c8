"""The first steps of a customer (manual 3.1): buy → create an app and open a capability → create a key → try it."""

from __future__ import annotations

from dataclasses import dataclass

from inkgate.service.accounts import repository as accounts
from inkgate.service.accounts.models import Account
from inkgate.service.console import repository
from inkgate.service.console.scope import VisibleAccounts
from inkgate.service.db.work import UnitOfWork
from inkgate.service.usage import repository as usage


@dataclass(frozen=True, slots=True)
class Step:
    """One step: `name` is buy, app, key or try; `path` is the page where it is done, "" when only the main account
    can do it. `app` names an app that is there and has opened nothing, such as the default app."""

    name: str
    path: str
    done: bool
    app: str = ""


async def first_steps(unit: UnitOfWork, account: Account, scope: VisibleAccounts) -> list[Step] | None:
    """The steps with their state; None once a call has been made, when the overview has figures to show.

    The buying is done with any pack, bought or granted. A sub-account shares the packs of its main account.
    """
    session = unit.session
    if await usage.any_call(session, scope.main_id, scope.sub_id):
        return None
    opened = await repository.opened_counts(session, scope.account_ids)
    first = None if opened else await accounts.oldest_app(session, account.id)
    return [
        Step("buy", "" if account.parent_id else "/capabilities", await repository.has_pack(session, scope.main_id)),
        Step("app", f"/apps/{first.id}#open", False, first.name) if first else Step("app", "/apps", bool(opened)),
        Step("key", "/keys", await repository.has_key(session, scope.account_ids)),
        Step("try", "/try", False),
    ]
