"""Finding an app by what people write: its id, its AppKey, or its name, which several accounts may use (ADR 0090)."""

from __future__ import annotations

from collections.abc import Collection

from inkgate.service.accounts import repository
from inkgate.service.accounts.models import AppRow
from inkgate.service.db.work import UnitOfWork
from inkgate.service.errors import Misuse

MAX_LISTED = 10  # apps that a refusal of an ambiguous name lists


async def find_app(work: UnitOfWork, text: str, account_ids: Collection[str] | None = None) -> AppRow | None:
    """The live app with this id, AppKey or name, among those of `account_ids` (None: of all accounts).

    None when there is none. Raises Misuse, which lists account and AppKey of each, when a name fits several. Names have
    at most 15 characters, AppKeys at least 16 and ids 36, so that a text is only one of the three.
    """
    found = await repository.app(work.session, text) or await repository.app_by_key(work.session, text)
    if found is not None:
        is_visible = account_ids is None or found.account_id in account_ids
        return found if is_visible and found.deleted_at is None else None
    named = await repository.live_apps_named(work.session, text, account_ids, MAX_LISTED)
    if len(named) > 1:
        count = await repository.count_live_apps_named(work.session, text, account_ids)
        listed = [f"{account} ({app.appkey})" for app, account in named]
        raise Misuse("app.name_ambiguous", name=text, count=count, apps=(*listed, *["…"][: count - len(listed)]))
    return named[0][0] if named else None
