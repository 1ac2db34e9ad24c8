"""Titles of pages by their routes, for events that name a page."""

from __future__ import annotations

from collections.abc import Mapping

from inkgate.service.console.menu import all_entries
from inkgate.service.console.translations import Translator

OPERATOR_VIEW = "page "  # subject of a page that an operator viewed, before its route without /operator/
OPERATOR_PAGES = "/operator/"


def page_words(subject: str, translate: Translator) -> str:
    """The page that the subject of an event names: `page ledger` or `GET /orders/{number}`; "" when it is none.

    A request that is no view is named with its method.
    """
    if subject.startswith(OPERATOR_VIEW):
        return _title(OPERATOR_PAGES + subject.removeprefix(OPERATOR_VIEW), translate)
    method, _, route = subject.partition(" ")
    title = _title(route, translate) if route.startswith("/") else ""
    return f"{title} · {method}" if title and method != "GET" else title


def _title(route: str, translate: Translator) -> str:
    """The title of the entry of the menu, or of the page beside it, below which a route is."""
    titles = _titles(translate)
    parts = route.partition(".")[0].split("/")  # without the suffix of a download
    below = ("/".join(parts[:count]) or "/" for count in range(len(parts), 1, -1))
    return next((titles[each] for each in below if each in titles), "")


def _titles(_: Translator) -> Mapping[str, str]:
    beside = {
        "/agreement": _("协议"),
        "/buy": _("购买"),
        "/operator/palette": _("搜索"),
        "/palette": _("搜索"),
        "/password": _("修改密码"),
        "/pricing": _("计费详情"),
        "/second-factor": _("两步验证"),
        "/sessions": _("登录情况"),
        "/wall": _("大屏页面"),
    }
    return beside | dict(all_entries(_))
