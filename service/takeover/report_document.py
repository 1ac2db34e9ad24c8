"""The report as JSON values and as rows of CSV, the same for command line, admin API and console. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from inkgate.service.takeover.report import CodePair, FieldFigures, Latency, RouteReport
from inkgate.service.takeover.statistics import Share
from inkgate.service.takeover.verdict import judge

CSV_COLUMNS = ("account", "app", "capability", "section", "name", "measure", "value", "app_id")
SHARE_DIGITS = 6


def document(report: RouteReport) -> dict[str, Any]:
    """One app and capability as JSON values. Shares are 0..1, times milliseconds, money fen."""
    judged = judge(report)
    return {
        "app_id": report.app_id,
        "app": report.app_name,
        "account": report.account_name,
        "capability": report.capability.name,
        "verdict": judged.verdict.value,
        "verdict_zh": judged.zh,
        "verdict_en": judged.en,
        "calls": report.calls,
        "compared": report.compared,
        "unreadable": report.unreadable,
        "skipped": dict(report.skipped),
        "images": report.images,
        "fields": [_field(report, each) for each in report.fields],
        "text": _text(report),
        "same_codes": _share(report.same_codes),
        "codes": _codes(report.codes),
        "image_codes": _codes(report.image_codes),
        "cloud_ms": _latency(report.cloud_time),
        "local_ms": _latency(report.local_time),
        "units": report.units,
        "product": report.price,
        "saved_fen": report.saved_fen,
    }


def csv_rows(reports: Iterable[RouteReport]) -> Iterator[tuple[object, ...]]:
    """Rows of CSV_COLUMNS, one per figure."""
    for report in reports:
        head = (report.account_name, report.app_name or report.app_id, report.capability.name)
        yield from ((*head, *row, report.app_id) for row in _figures(document(report)))


def _figures(found: Mapping[str, Any]) -> Iterator[tuple[str, str, str, object]]:
    """(section, name, measure, value) of every figure of a document."""
    for key, value in found.items():
        if key in ("app_id", "app", "account", "capability"):
            continue
        if key == "fields":
            for each in value:
                yield from (
                    ("field", each["name"], measure, number) for measure, number in each.items() if measure != "name"
                )
        elif key in ("codes", "image_codes"):
            for pair in value:
                yield key, f"{pair['cloud']} / {pair['local']}", "count", pair["count"]
        elif isinstance(value, dict):
            yield from ((key, "", measure, number) for measure, number in value.items())
        elif value is not None:
            yield "summary", "", key, value


def _field(report: RouteReport, each: FieldFigures) -> dict[str, Any]:
    return {
        "name": each.name,
        "label_zh": report.label(each.name, "zh"),
        "label_en": report.label(each.name, "en"),
        "values": each.values,
        **{key: value for key, value in asdict(each).items() if key != "name"},
        **_share(each.agreement),
        "folded_agreement": _rounded(each.folded_agreement.value),
    }


def _text(report: RouteReport) -> dict[str, Any] | None:
    if report.text is None:
        return None
    return {
        **asdict(report.text),
        "agreement": _rounded(report.characters),
        "folded_agreement": _rounded(report.folded_characters),
        "line_agreement": _rounded(report.lines),
    }


def _share(share: Share) -> dict[str, Any]:
    low, high = share.interval if share.total else (None, None)
    return {"agreement": _rounded(share.value), "low": _rounded(low), "high": _rounded(high)}


def _codes(pairs: Sequence[CodePair]) -> list[dict[str, Any]]:
    return [asdict(each) for each in pairs]


def _latency(found: Latency) -> dict[str, Any]:
    times = {name: None if value is None else round(value, 1) for name, value in asdict(found).items()}
    return {**times, "calls": found.calls}


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, SHARE_DIGITS)
