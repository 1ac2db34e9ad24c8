"""Rendering of templates, and the formats of numbers, money and instants."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from starlette.responses import HTMLResponse, RedirectResponse, Response

from inkgate.service import __version__, money
from inkgate.service.console.assets import Assets
from inkgate.service.console.form_reading import masked_token
from inkgate.service.console.indicators import usage_state
from inkgate.service.console.menu import menu
from inkgate.service.console.notices import notice
from inkgate.service.console.page_request import FORM_COOKIE, THEMES, PageRequest
from inkgate.service.console.places import FLASH, KEPT
from inkgate.service.console.translations import LANGUAGES
from inkgate.service.contract.capabilities import CAPABILITIES
from inkgate.service.db.clock import BEIJING
from inkgate.service.permissions import titles

ZONE = "UTC+8"


@cache
def assets() -> Assets:
    """The static files of this release."""
    return Assets()


@cache
def environment() -> Environment:
    """The Jinja environment: autoescape for all templates, undefined names are errors."""
    made = Environment(
        loader=PackageLoader("inkgate.service.console"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    filters = (number, ms, yuan, plain, per_thousand, units, instant, day, size, attr_json)
    made.globals["usage_state"] = usage_state
    made.filters |= {each.__name__: each for each in filters}
    return made


def render(page_request: PageRequest, template: str, status: int = 200, **model: Any) -> Response:
    """Render a page. `model` is its view model; the other variables are the same for all pages."""
    root = page_request.root
    text = (
        environment()
        .get_template(template)
        .render(
            page_request=page_request,
            _=page_request.translate,
            language=page_request.translate.language,
            lang=LANGUAGES[page_request.translate.language],
            theme=page_request.theme,
            themes=THEMES,
            root=root,
            here=page_request.request.url.path.removeprefix(root),
            csrf=masked_token(page_request.csrf),
            menu=menu(page_request),
            version=__version__,
            zone=ZONE,
            may=page_request.may,
            role_title=lambda role: _capitalised(titles.role(role, page_request.translate.language)),
            title_of=lambda name: title(name, page_request.translate.language),
            asset=lambda name: f"{root}/{assets().path(name)}",
            notice=notice(page_request),
            form_state=_form_state(page_request, status),
            **({"problem": ""} | model),
        )
    )
    answer = HTMLResponse(text, status)
    if page_request.fresh_form_cookie:
        set_cookie(page_request, answer, FORM_COOKIE, page_request.fresh_form_cookie)
    return answer


def _capitalised(text: str) -> str:
    return text[:1].upper() + text[1:]


def _form_state(page_request: PageRequest, status: int) -> str:
    """What the script does with a form that was sent before: "refused" and "kept" put back what was typed."""
    if page_request.request.method == "POST" and status >= 400:
        return "refused"
    return KEPT if page_request.request.query_params.get(FLASH) == KEPT else ""


def go(page_request: PageRequest, path: str, done: str = "") -> Response:
    """Redirect to another page of the console after a form; `done` names the notice to show there."""
    query = ("&" if "?" in path else "?") + f"{FLASH}={done}" if done else ""
    return RedirectResponse(f"{page_request.root}{path}{query}", 303)


def set_cookie(page_request: PageRequest, answer: Response, name: str, value: str, *, days: float = 0) -> None:
    """Set a cookie for the path of the console, not readable by scripts; `days` 0 makes it a session cookie."""
    request = page_request.request
    secure = "https" in (request.url.scheme, request.headers.get("x-forwarded-proto", ""))
    age = round(days * 86400) or None
    answer.set_cookie(
        name, value, max_age=age, path=page_request.root or "/", httponly=True, samesite="lax", secure=secure
    )


def title(capability: str, language: str) -> str:
    """The title of a capability; its name if it is not installed, "–" if it is ""."""
    known = CAPABILITIES.get(capability)
    if known is None:
        return capability or "–"
    return known.title_en if language == "en" else known.title


def number(value: float | None) -> str:
    """A number with thousands separators; "–" for None."""
    if value is None:
        return "–"
    return f"{value:,.1f}" if isinstance(value, float) and not value.is_integer() else f"{int(value):,}"


def ms(value: float | None) -> str:
    """Whole milliseconds; "–" for None."""
    return "–" if value is None else f"{value:,.0f} ms"


def yuan(fen: int) -> str:
    """Money: ¥1,350.00, -¥450.00."""
    return money.yuan(fen)


def plain(fen: int) -> str:
    """Money for a form: 1,350.00."""
    return f"{fen // 100:,}.{fen % 100:02d}"


def per_thousand(price_fen: int, count: int) -> str:
    """The price of a thousand units, in yuan with two to four decimals: ¥4.50, ¥2.3333."""
    amount = (Decimal(price_fen) * 10 / count).quantize(Decimal("0.0001"))
    whole, _, part = f"{amount:,.4f}".partition(".")
    return f"¥{whole}.{part[:2]}{part[2:].rstrip('0')}"


def units(count: int, language: str) -> str:
    """A number of units as the manual writes the sizes of packs: 10万次, 1,000万次; "100,000 calls" in English."""
    if language == "en":
        return f"{count:,} call" if count == 1 else f"{count:,} calls"
    return f"{count // 10_000:,}万次" if count % 10_000 == 0 and count else f"{count:,}次"


def instant(value: datetime | None) -> Markup | str:
    """An instant to the second, in the time zone of the console."""
    if value is None:
        return "–"
    local = value.astimezone(BEIJING)
    return Markup('<time datetime="{}" title="{}">{}</time>').format(
        local.isoformat(timespec="seconds"), ZONE, local.strftime("%Y-%m-%d %H:%M:%S")
    )


def day(value: datetime | None) -> str:
    """A date in the time zone of the console."""
    return value.astimezone(BEIJING).strftime("%Y-%m-%d") if value else "–"


def size(count: int) -> str:
    """A size in bytes with a binary unit; exactly a whole number of units has no decimal."""
    amount = float(count)
    units = iter(("B", "KiB", "MiB", "GiB", "TiB"))
    unit = next(units)
    while amount >= 1024 and unit != "TiB":
        amount, unit = amount / 1024, next(units)
    return (f"{amount:,.0f}" if amount.is_integer() else f"{amount:,.1f}") + f" {unit}"


def attr_json(value: Mapping[str, Any]) -> str:
    """JSON for a data attribute; the template escapes it."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
