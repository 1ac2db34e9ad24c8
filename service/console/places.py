"""Pages of the console by their addresses: where a form was, and where to go on after it."""

from __future__ import annotations

import re
from functools import cache
from urllib.parse import parse_qsl, urlencode, urlsplit

from starlette.requests import Request

from inkgate.service.permissions.routes import CONSOLE

MAX_PLACE = 2000  # characters of a path with its query
FLASH = "done"  # the query parameter that names a notice
KEPT = "kept"  # the notice of a page whose form was kept over a sign-in
NO_PAGES = {"/apps/name", "/callers", "/oidc", "/oidc/back", "/samples/{name}.jpg", "/wall/{key}"}
"""Fragments, images and redirects; downloads (.csv, .json, .jsonl) are no pages either."""


@cache
def _pages() -> re.Pattern[str]:
    """The paths of all pages."""
    paths = [
        re.sub(r"\\{\w+\\}", "[^/]+", re.escape(path))
        for method, path in CONSOLE
        if method == "GET" and path not in NO_PAGES and not path.endswith((".csv", ".json", ".jsonl"))
    ]
    return re.compile("|".join(paths))


def nearest_page(path: str) -> str:
    """The page at this path of the console; for the path of a form that has none, the nearest one above it."""
    while path and _pages().fullmatch(path) is None:
        path = path.rpartition("/")[0]
    return path or "/"


def place(path: str, query: str, *, done: str = "") -> str:
    """The nearest page with its query. A notice in the query is replaced by `done`."""
    kept = [(name, value) for name, value in parse_qsl(query, keep_blank_values=True) if name != FLASH]
    page = nearest_page(path)
    if page != path:
        kept = []  # the query belongs to the form
    query = urlencode([*kept, (FLASH, done)] if done else kept)
    full = f"{page}?{query}" if query else page
    return full if len(full) <= MAX_PLACE else page


def numbered(page: str, name: str, number: int) -> str:
    """A page with its query, in which the parameter `name` is this number: another page of one of its lists."""
    path, _, query = page.partition("?")
    kept = [each for each in parse_qsl(query, keep_blank_values=True) if each[0] != name]
    return f"{path}?{urlencode([*kept, (name, number)])}"


def next_of(path: str) -> str:
    """A path of this console to redirect to; "" for another site or scheme."""
    return path if path.startswith("/") and not path.startswith(("//", "/\\")) and len(path) <= MAX_PLACE else ""


def page_behind(request: Request, *, done: str = "") -> str:
    """The page that a form of this console was on, by its Referer; "" when the request does not say it."""
    root = str(request.scope.get("root_path", "")).rstrip("/")
    referer = urlsplit(request.headers.get("referer", ""))
    if not referer.path or referer.netloc != request.headers.get("host") or not referer.path.startswith(f"{root}/"):
        return ""
    return next_of(place(referer.path.removeprefix(root), referer.query, done=done))
