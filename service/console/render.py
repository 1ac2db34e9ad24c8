"""Templates to answers, and how numbers, money and instants are written."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from starlette.responses import HTMLResponse, RedirectResponse, Response

from inkgate.service import __version__
from inkgate.service.console.assets import Assets
from inkgate.service.console.catalogue import LANGUAGES
from inkgate.service.console.menu import menu
from inkgate.service.console.notices import notice
from inkgate.service.console.visit import FORM_COOKIE, THEMES, Visit, masked
from inkgate.service.contract.capabilities import CAPABILITIES
from inkgate.service.db.clock import BEIJING

ZONE = "UTC+8"


@cache
def assets() -> Assets:
    """The static files of this release."""
    return Assets()


@cache
def environment() -> Environment:
    """The templates; autoescape everywhere, and a name that is not given is an error."""
    made = Environment(
        loader=PackageLoader("inkgate.service.console"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    filters = (number, ms, yuan, instant, day, size, attr_json)
    made.filters |= {each.__name__: each for each in filters}
    return made


def render(visit: Visit, template: str, status: int = 200, **model: Any) -> Response:
    """A page. `model` is what its view-model function made; the rest every page has."""
    root = visit.root
    text = (
        environment()
        .get_template(template)
        .render(
            visit=visit,
            _=visit.words,
            language=visit.words.language,
            lang=LANGUAGES[visit.words.language],
            theme=visit.theme,
            themes=THEMES,
            root=root,
            here=visit.request.url.path.removeprefix(root),
            csrf=masked(visit.csrf),
            menu=menu(visit),
            version=__version__,
            zone=ZONE,
            title_of=lambda name: title(name, visit.words.language),
            asset=lambda name: f"{root}/{assets().path(name)}",
            notice=notice(visit),
            **({"problem": ""} | model),
        )
    )
    answer = HTMLResponse(text, status)
    if visit.fresh_form_cookie:
        set_cookie(visit, answer, FORM_COOKIE, visit.fresh_form_cookie)
    return answer


def go(visit: Visit, path: str, done: str = "") -> Response:
    """Go to another page of the console after a form; `done` names the notice to show there."""
    query = ("&" if "?" in path else "?") + f"done={done}" if done else ""
    return RedirectResponse(f"{visit.root}{path}{query}", 303)


def set_cookie(visit: Visit, answer: Response, name: str, value: str, *, days: float = 0) -> None:
    """A cookie for the console alone, out of reach of scripts; `days` 0 lasts as long as the browser runs."""
    request = visit.request
    secure = "https" in (request.url.scheme, request.headers.get("x-forwarded-proto", ""))
    age = round(days * 86400) or None
    answer.set_cookie(name, value, max_age=age, path=visit.root or "/", httponly=True, samesite="lax", secure=secure)


def title(capability: str, language: str) -> str:
    """What a capability is called; the bare name of one that is not installed, "–" for a call that named none."""
    known = CAPABILITIES.get(capability)
    if known is None:
        return capability or "–"
    return known.title_en if language == "en" else known.title


def number(value: float | None) -> str:
    """Thousands separated; "–" for nothing known."""
    if value is None:
        return "–"
    return f"{value:,.1f}" if isinstance(value, float) and not value.is_integer() else f"{int(value):,}"


def ms(value: float | None) -> str:
    """Milliseconds, whole ones; "–" for nothing known."""
    return "–" if value is None else f"{value:,.0f} ms"


def yuan(fen: int) -> str:
    """Money: ¥1,350.00."""
    return f"¥{fen / 100:,.2f}"


def instant(value: datetime | None) -> Markup | str:
    """A second in the zone of the console."""
    if value is None:
        return "–"
    local = value.astimezone(BEIJING)
    return Markup('<time datetime="{}" title="{}">{}</time>').format(
        local.isoformat(timespec="seconds"), ZONE, local.strftime("%Y-%m-%d %H:%M:%S")
    )


def day(value: datetime | None) -> str:
    """A day in the zone of the console."""
    return value.astimezone(BEIJING).strftime("%Y-%m-%d") if value else "–"


def size(count: int) -> str:
    """Bytes as people read them."""
    amount = float(count)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if amount < 1024:
            return f"{amount:,.0f} {unit}" if unit == "B" else f"{amount:,.1f} {unit}"
        amount /= 1024
    return f"{amount:,.1f} TiB"


def attr_json(value: Mapping[str, Any]) -> str:
    """JSON for a data attribute; the template escapes it."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
