"""Generate the Grafana dashboards in deploy/grafana from the panels below.

    python -m tools.dashboards           write the files
    python -m tools.dashboards --check   exit status 1 when a file is not up to date

A panel has a title, a unit and queries with legends. `tests/monitoring` runs every query against a live Prometheus.
"""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).resolve().parent.parent / "deploy" / "grafana"
RATE = "$__rate_interval"


@dataclass(frozen=True)
class Panel:
    """`queries` are pairs of PromQL and legend, `unit` is a Grafana unit, and `kind` "stat" shows a single value."""

    title: str
    unit: str
    queries: tuple[tuple[str, str], ...]
    about: str = ""
    kind: str = "timeseries"
    width: int = 8
    stacked: bool = False


def quantiles(metric: str, by: str, select: str = "") -> tuple[tuple[str, str], ...]:
    legend = f"{{{{{by}}}}} " if by else ""
    group = f"le, {by}" if by else "le"
    return tuple(
        (f"histogram_quantile({q}, sum by ({group}) (rate({metric}_bucket{select}[{RATE}])))", f"{legend}p{q * 100:g}")
        for q in (0.5, 0.99)
    )


def rate(metric: str, by: str, select: str = "") -> tuple[tuple[str, str], ...]:
    legend = " ".join(f"{{{{{label}}}}}" for label in by.split(", "))
    return ((f"sum by ({by}) (rate({metric}{select}[{RATE}]))", legend),)


SERVICE = {
    "Traffic": [
        Panel("Requests", "reqps", rate("inkgate_requests_total", "capability"), width=8, stacked=True),
        Panel(
            "Outcomes",
            "reqps",
            rate("inkgate_requests_total", "outcome"),
            width=8,
            stacked=True,
            about="failed and overloaded are our fault; refused, limited and client_error are not.",
        ),
        Panel(
            "Share of requests that fail",
            "percentunit",
            (("inkgate:error_ratio:rate5m", "5 min"), ("inkgate:error_ratio:rate1h", "1 h")),
            about="The budget is 0.1 % of a month.",
        ),
        Panel("Codes other than 0", "reqps", rate("inkgate_requests_total", "code", '{code!="0"}'), width=12),
        Panel("Turned away", "reqps", rate("inkgate_rejected_total", "reason"), width=12, stacked=True),
    ],
    "Time": [
        Panel(
            "Whole way, by capability",
            "s",
            quantiles("inkgate_request_duration_seconds", "capability", '{stage="total"}'),
            width=12,
        ),
        Panel(
            "Mean seconds per stage",
            "s",
            (
                (
                    f'sum by (stage) (rate(inkgate_request_duration_seconds_sum{{stage!="total"}}[{RATE}])) / '
                    f'sum by (stage) (rate(inkgate_request_duration_seconds_count{{stage!="total"}}[{RATE}]))',
                    "{{stage}}",
                ),
            ),
            width=12,
            stacked=True,
            about="Where a request spends its time; queue and infer are per image.",
        ),
    ],
    "Queue": [
        Panel(
            "Waiting and held pictures",
            "short",
            (("max(inkgate_queue_depth)", "waiting"), ("max(inkgate_tasks_in_flight)", "held")),
            about="Every gateway shows the whole queue, hence max.",
        ),
        Panel("Age of the oldest picture", "s", (("max(inkgate_queue_oldest_age_seconds)", "oldest"),)),
        Panel("Live workers", "short", (("max(inkgate_workers_live)", "workers"),)),
        Panel(
            "Body bytes in work",
            "bytes",
            (("sum(inkgate_inflight_bytes)", "in work"), ("sum(inkgate_inflight_limit_bytes)", "limit")),
        ),
        Panel("Request bodies", "bytes", quantiles("inkgate_request_body_bytes", "")),
        Panel(
            "Taken over and set aside",
            "short",
            (
                (f"sum(rate(inkgate_tasks_reclaimed_total[{RATE}]))", "taken over"),
                (f"sum(rate(inkgate_poison_images_total[{RATE}]))", "set aside"),
            ),
        ),
    ],
    "Ground": [
        Panel("Dependencies", "short", (("min by (dependency) (inkgate_dependency_up)", "{{dependency}}"),)),
        Panel(
            "Pool connections",
            "short",
            (("sum by (dependency, state) (inkgate_dependency_connections)", "{{dependency}} {{state}}"),),
        ),
        Panel("Memory", "bytes", (('process_resident_memory_bytes{job=~".*inkgate.*"}', "{{instance}}"),)),
    ],
}

ENGINES = {
    "Work": [
        Panel("Images", "ops", rate("inkgate_images_total", "capability, outcome"), width=12, stacked=True),
        Panel(
            "Images read per second",
            "ops",
            ((f"sum(rate(inkgate_inference_duration_seconds_count[{RATE}]))", "all"),),
            kind="stat",
            width=4,
        ),
        Panel("Workers warm", "short", (("sum(inkgate_worker_ready)", "warm"),), kind="stat", width=4),
        Panel(
            "Engine busy",
            "percentunit",
            ((f"sum(rate(inkgate_inference_duration_seconds_sum[{RATE}])) / sum(inkgate_worker_ready)", "busy"),),
            kind="stat",
            width=4,
            about="Share of the time in which a worker reads; near 1: more workers are needed.",
        ),
    ],
    "Engine": [
        Panel("Seconds per image", "s", quantiles("inkgate_inference_duration_seconds", "model"), width=12),
        Panel(
            "Mean seconds per image, by engine and device",
            "s",
            (
                (
                    f"sum by (engine, model, device) (rate(inkgate_inference_duration_seconds_sum[{RATE}])) / "
                    f"sum by (engine, model, device) (rate(inkgate_inference_duration_seconds_count[{RATE}]))",
                    "{{engine}} {{model}} {{device}}",
                ),
            ),
            width=12,
        ),
        Panel("Lines per image", "short", quantiles("inkgate_image_lines", "capability")),
        Panel("Images read together", "short", quantiles("inkgate_batch_size", "")),
        Panel(
            "Models",
            "short",
            (
                (
                    "sum by (engine, model, device, profile) (inkgate_model_info)",
                    "{{engine}} {{model}} {{device}} {{profile}}",
                ),
            ),
        ),
    ],
    "Processes": [
        Panel(
            "Memory of worker processes",
            "bytes",
            (("inkgate_worker_resident_bytes", "{{instance}} {{process}}"),),
            width=12,
        ),
        Panel(
            "Workers that left",
            "short",
            ((f"sum by (reason) (increase(inkgate_worker_recycles_total[{RATE}]))", "{{reason}}"),),
            width=12,
            stacked=True,
        ),
    ],
}

MONEY = {
    "Settling": [
        Panel(
            "Units deducted per hour",
            "short",
            (("sum by (capability) (rate(inkgate_units_settled_total[5m])) * 3600", "{{capability}}"),),
            stacked=True,
        ),
        Panel("Seconds per transaction", "s", quantiles("inkgate_settle_duration_seconds", "")),
        Panel("Calls per transaction", "short", quantiles("inkgate_settle_batch_size", "")),
        Panel("Failed transactions", "ops", rate("inkgate_settle_failures_total", "reason")),
        Panel("Paid answers sent again", "ops", rate("inkgate_replayed_answers_total", "capability")),
        Panel(
            "Database connections",
            "short",
            (('sum by (state) (inkgate_dependency_connections{dependency="database"})', "{{state}}"),),
        ),
    ],
    "Proof": [
        Panel(
            "Drift",
            "short",
            (("max(inkgate_metering_drift_units)", "units"),),
            kind="stat",
            width=4,
            about="Packs against usage records. Anything but 0 is a fault.",
        ),
        Panel(
            "Broken entries",
            "short",
            (("max(inkgate_metering_broken_entries)", "entries"),),
            kind="stat",
            width=4,
            about="Old ledger entries that are missing or changed. Anything but 0 is a fault.",
        ),
        Panel(
            "Last compared",
            "dateTimeFromNow",
            (("max(inkgate_metering_checked_timestamp_seconds) * 1000", "checked"),),
            kind="stat",
            width=4,
        ),
        Panel(
            "Units left in watched accounts",
            "percentunit",
            (
                (
                    "max by (account, capability) (inkgate_pack_remaining_units) / "
                    "max by (account, capability) (inkgate_pack_total_units)",
                    "{{account}} {{capability}}",
                ),
            ),
            width=6,
        ),
        Panel(
            "End of the last pack of watched accounts",
            "s",
            (
                (
                    "max by (account, capability) (inkgate_pack_expiry_timestamp_seconds) - time()",
                    "{{account}} {{capability}}",
                ),
            ),
            width=6,
        ),
    ],
}

DASHBOARDS = {
    "service": ("InkGate: service", SERVICE),
    "engines": ("InkGate: engines", ENGINES),
    "money": ("InkGate: money", MONEY),
}


def panel_json(number: int, panel: Panel, x: int, y: int) -> dict[str, Any]:
    custom = {"fillOpacity": 20 if panel.stacked else 0, "stacking": {"mode": "normal" if panel.stacked else "none"}}
    return {
        "id": number,
        "type": panel.kind,
        "title": panel.title,
        "description": panel.about,
        "datasource": {"type": "prometheus", "uid": "${datasource}"},
        "gridPos": {"x": x, "y": y, "w": panel.width, "h": 8},
        "fieldConfig": {
            "defaults": {"unit": panel.unit, **({"custom": custom} if panel.kind != "stat" else {})},
            "overrides": [],
        },
        "targets": [
            {"refId": chr(ord("A") + index), "expr": query, "legendFormat": legend}
            for index, (query, legend) in enumerate(panel.queries)
        ],
    }


def dashboard_json(name: str, title: str, rows: dict[str, list[Panel]]) -> dict[str, Any]:
    panels: list[dict[str, Any]] = []
    y = 0
    for row, members in rows.items():
        panels.append(
            {
                "id": len(panels) + 1,
                "type": "row",
                "title": row,
                "collapsed": False,
                "panels": [],
                "gridPos": {"x": 0, "y": y, "w": 24, "h": 1},
            }
        )
        x, y = 0, y + 1
        for panel in members:
            if x + panel.width > 24:
                x, y = 0, y + 8
            panels.append(panel_json(len(panels) + 1, panel, x, y))
            x += panel.width
        y += 8
    return {
        "uid": f"inkgate-{name}",
        "title": title,
        "tags": ["inkgate"],
        "schemaVersion": 39,
        "editable": True,
        "timezone": "browser",
        "refresh": "30s",
        "time": {"from": "now-1h", "to": "now"},
        "templating": {
            "list": [
                {"name": "datasource", "label": "Prometheus", "type": "datasource", "query": "prometheus"},
            ]
        },
        "panels": panels,
    }


def main() -> None:
    expected = {
        FOLDER / f"{name}.json": json.dumps(dashboard_json(name, title, rows), indent=1, ensure_ascii=False) + "\n"
        for name, (title, rows) in DASHBOARDS.items()
    }
    stale = [path for path, content in expected.items() if not path.exists() or path.read_text() != content]
    if "--check" in sys.argv:
        if stale:
            raise SystemExit(f"not current: {', '.join(p.name for p in stale)}; run python -m tools.dashboards")
        return
    for path in stale:
        path.write_text(expected[path])
        print(f"wrote deploy/grafana/{path.name}")


if __name__ == "__main__":
    main()
