"""总览: opened capabilities, calls, errors and remaining units (manual 3.3, 4.3)."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from ipaddress import ip_address, ip_network

from fastapi import APIRouter
from starlette.responses import Response

from inkgate.service.console import charts, indicators, repository
from inkgate.service.console.charts import Chart
from inkgate.service.console.codes import code_name
from inkgate.service.console.first_steps import first_steps
from inkgate.service.console.indicators import Bar, Change
from inkgate.service.console.menu import first_page
from inkgate.service.console.page_request import Forbidden, SignedInRequest
from inkgate.service.console.pages.keys import may_reveal
from inkgate.service.console.render import go, render, title
from inkgate.service.console.scope import PERIODS, Period, VisibleAccounts, app_names, scope_of, span_of
from inkgate.service.console.translations import Translator
from inkgate.service.contract.capabilities import CAPABILITIES
from inkgate.service.db.work import UnitOfWork
from inkgate.service.metering.pack_totals import pack_totals
from inkgate.service.metering.packs import FREE_CAPABILITIES
from inkgate.service.permissions import Permission
from inkgate.service.usage import repository as usage
from inkgate.service.usage.repository import UsageTotals, total

router = APIRouter()
SOON = timedelta(days=30)
NETWORKS_SHOWN = 10
NAMED_APPS = 50  # of which the ranking shows a few; the others are summed up without their names


@dataclass(frozen=True, slots=True)
class Balance:
    """Remaining units of a capability in valid packs, and the first end among these (None without a valid pack).

    Without a valid pack `total` is that of the packs that are used up, and the bar is full.
    """

    capability: str
    left: int
    total: int
    ends_at: datetime | None
    soon: bool


@dataclass(frozen=True, slots=True)
class Trends:
    """Of each key figure the change against the period before, and the points of its sparkline."""

    images: Change
    requests: Change
    errors: Change
    mean_ms: Change
    lines: dict[str, str]


@dataclass(frozen=True, slots=True)
class Overview:
    """`error_share` is the share of requests refused or answered with a code; None without requests."""

    span: Period
    total: UsageTotals
    error_share: float | None
    trends: Trends
    opened: list[tuple[str, int]]
    balances: list[Balance]
    calls: Chart
    ranking: list[Bar]
    apps: list[Bar]
    errors: list[Bar]
    response: Chart


async def view(
    unit: UnitOfWork, scope: VisibleAccounts, translate: Translator, days: str, capability: str = "", app_id: str = ""
) -> Overview:
    """The view model. `capability` and `app_id` filter the response times only, as in the manual."""
    now = await unit.checked_now()
    span = span_of(days, now)
    part = scope.usage_scope(span)

    def named(name: str) -> str:
        return title(name, translate.language)

    steps = await usage.totals(unit.session, part, [span.step, "capability"], times=True)
    by_code = await usage.totals(
        unit.session, part, [span.step, "code", "capability"], only=("calls", "refused", "failed_images")
    )
    by_app = await usage.totals(unit.session, part, ["app"], only=("calls", "images"))
    busiest = sorted(by_app, key=lambda row: -row.images)[:NAMED_APPS]
    app_named = await app_names(unit, [row.key[0] for row in busiest], scope.family)
    timed = steps
    if app_id or capability:
        narrowed = scope.usage_scope(span, app_id=app_id, capability=capability)
        timed = await usage.totals(unit.session, narrowed, [span.step, "capability"], only=("calls", "duration_ms"))
    opened = await repository.opened_counts(unit.session, scope.account_ids)
    return Overview(
        span=span,
        total=total(steps),
        error_share=indicators.error_share(by_code, 1),
        trends=await _trends(unit, scope, span, now, steps, by_code, translate),
        opened=[(name, opened.get(name, 0)) for name in CAPABILITIES],
        balances=await _balances(unit, scope, now),
        calls=charts.over_time(
            span,
            _called(steps),
            lambda row: row.images,
            name=named,
            other_label=translate("其他"),
            unit=translate("次"),
            kind="bar",
            stack=True,
            whole=True,
        ),
        ranking=_ranking(((named(row.key[1]), row) for row in steps), translate),
        apps=indicators.bars([(app_named(row.key[0]), row.images) for row in by_app if row.calls], translate("其他")),
        errors=indicators.bars(_errors(by_code, translate).items(), translate("其他")),
        response=charts.over_time(
            span, _called(timed), lambda row: row.mean_ms, name=named, other_label=translate("其他"), unit="ms"
        ),
    )


def _called(rows: list[UsageTotals]) -> list[UsageTotals]:
    """The rows with calls; rows of refused requests only are dropped."""
    return [row for row in rows if row.calls]


async def _trends(
    unit: UnitOfWork,
    scope: VisibleAccounts,
    span: Period,
    now: datetime,
    steps: list[UsageTotals],
    by_code: list[UsageTotals],
    translate: Translator,
) -> Trends:
    """The key figures of `steps` (by step first) and `by_code` (by step and code) against the period before."""
    part = scope.usage_scope(indicators.period_before(span, now))
    measured = ("calls", "images", "refused", "duration_ms")
    earlier = await usage.totals(unit.session, part, ["code"], only=measured)
    before, whole = total(earlier), total(steps)
    failed = indicators.error_share(by_code, 1), indicators.error_share(earlier, 0)
    sums, coded = charts.per_step(span, steps), charts.per_step(span, by_code)
    return Trends(
        images=indicators.change(whole.images, before.images),
        requests=indicators.change(whole.requests, before.requests),
        errors=indicators.point_change(*failed, translate("个百分点")),
        mean_ms=indicators.change(whole.mean_ms, before.mean_ms, less_is_better=True),
        lines={
            "images": indicators.sparkline([total(cell).images for cell in sums]),
            "requests": indicators.sparkline([total(cell).requests for cell in sums]),
            "errors": indicators.sparkline([indicators.error_share(cell, 1) for cell in coded]),
            "mean_ms": indicators.sparkline([total(cell).mean_ms for cell in sums]),
        },
    )


def _ranking(rows: Iterable[tuple[str, UsageTotals]], translate: Translator) -> list[Bar]:
    """Images per name; one image counts as one call, as everywhere."""
    images: dict[str, int] = {}
    for name, row in rows:
        if row.calls:
            images[name] = images.get(name, 0) + row.images
    return indicators.bars(images.items(), translate("其他"))


def _errors(rows: list[UsageTotals], translate: Translator) -> dict[str, int]:
    """Errors by code: of requests, including refused ones, and of single images that failed in answered calls."""
    by_code: defaultdict[int, Counter[str]] = defaultdict(Counter)
    failed_images = 0
    for row in rows:
        _step, code, capability = row.key
        if code:
            by_code[code][capability] += row.requests
        else:
            failed_images += row.failed_images
    found = {translate("单张图片识别失败"): failed_images} if failed_images else {}
    for code, requests in by_code.items():  # capabilities word a code differently: the words of the one with the most
        (most, _), *_others = requests.most_common(1)
        found[f"{code} {code_name(most, code, translate.language)}".strip()] = requests.total()
    return found


def networks(callers: list[tuple[str, int]]) -> list[tuple[str, int]]:
    """Calls by source network (/24 or /56), most calls first."""
    found: dict[str, int] = {}
    for ip, calls in callers:
        try:
            width = 24 if ip_address(ip).version == 4 else 56
            name = str(ip_network(f"{ip}/{width}", strict=False))
        except ValueError:
            name = ip
        found[name] = found.get(name, 0) + calls
    return sorted(found.items(), key=lambda each: -each[1])[:NETWORKS_SHOWN]


async def _balances(unit: UnitOfWork, scope: VisibleAccounts, now: datetime) -> list[Balance]:
    totals = await pack_totals(unit.session, scope.main_id, now)
    found = []
    for name in CAPABILITIES:
        if name in FREE_CAPABILITIES:
            continue
        valid, exhausted = totals.get((name, "valid")), totals.get((name, "exhausted"))
        counted = valid or exhausted
        ends = valid.ends_at if valid else None
        left = valid.total - valid.used if valid else 0
        soon = ends is not None and ends - now < SOON
        found.append(Balance(name, left, counted.total if counted else 0, ends, soon))
    return found


@router.get("/")
async def page(page_request: SignedInRequest, days: str = "7", capability: str = "", app: str = "") -> Response:
    if page_request.account is None or not page_request.may(Permission.USAGE_SEE):
        done = page_request.request.query_params.get("done", "")
        first = first_page(page_request)
        if first in ("", "/reference"):  # the role has no work, as with separate duties
            raise Forbidden
        return go(page_request, first, done if done.replace("-", "").isalpha() else "")
    async with page_request.reading() as unit:
        scope = await scope_of(unit, page_request.account, app)
        model = await view(unit, scope, page_request.translate, days, capability, app)
        steps = await first_steps(unit, page_request.account, scope)
    return render(
        page_request,
        "overview.html",
        model=model,
        periods=PERIODS,
        capability=capability,
        app=app,
        scope=scope,
        capabilities=CAPABILITIES,
        first_steps=steps,
        may_reveal=may_reveal(page_request),
    )
