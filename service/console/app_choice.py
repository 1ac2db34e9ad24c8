"""Which app a page begins with: the one that the user chose last, else one that has opened the capability."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from starlette.responses import Response

from inkgate.service.accounts.models import AppRow
from inkgate.service.console.page_request import PageRequest
from inkgate.service.console.render import set_cookie

APP_COOKIE = "inkgate_app"
KEPT_DAYS = 365


def remember(page_request: PageRequest, answer: Response, app_id: str) -> None:
    """Keep the choice in the browser, for this user only."""
    if page_request.signed_in is not None:
        set_cookie(page_request, answer, APP_COOKIE, f"{page_request.signed_in.user.id}.{app_id}", days=KEPT_DAYS)


def remembered(page_request: PageRequest) -> str:
    """The id of the app that the user chose last; "" for none. It need not be visible any more."""
    user_id, _, app_id = page_request.request.cookies.get(APP_COOKIE, "").partition(".")
    return app_id if page_request.signed_in is not None and user_id == page_request.signed_in.user.id else ""


def preferred(apps: Sequence[AppRow], opened: Mapping[str, Sequence[str]], capability: str, last: str) -> AppRow | None:
    """The first of `apps` in the order: opened and chosen last, opened, chosen last, any; None without apps."""

    def rank(app: AppRow) -> tuple[bool, bool]:
        return capability not in opened.get(app.id, ()), app.id != last

    return min(apps, key=rank, default=None)
