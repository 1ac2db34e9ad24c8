"""Draw previews of the dashboards of a service under load: docs/img/dashboards/*.svg.

    python -m tools.dashboard_preview

Gateway, workers, Valkey, Postgres and Prometheus run for 90 seconds under calls of all kinds, with a short pause of the
workers; then every query of deploy/grafana is run as a range query and drawn in the layout of its dashboard. Requires the
same programs as `make chart`.
"""

from __future__ import annotations

import json
import math
import re
import signal
import tempfile
import time
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

from inkgate.service.db import migrate
from tests.monitoring.deployment import Deployment
from tests.postgres import OwnPostgres

ROOT = Path(__file__).resolve().parent.parent
IMAGES = ROOT / "docs" / "img" / "dashboards"
SECONDS = 90
CELL, ROW = 42, 22  # pixels: width and height of a cell of Grafana's grid
COLOURS = ("#3366cc", "#d9662c", "#2a9d55", "#b0379a", "#8a7a12", "#1f9bb5", "#7a5cc0", "#c43c3c")
Series = tuple[str, list[tuple[float, float]]]


def human(value: float, unit: str) -> str:
    """A value with its unit, approximately as Grafana formats it."""
    match unit:
        case "percentunit":
            return f"{value * 100:.3g} %"
        case "s":
            return (
                f"{value * 1e3:.3g} ms"
                if abs(value) < 1
                else f"{value / 86400:.3g} d"
                if value > 1e5
                else f"{value:.3g} s"
            )
        case "bytes":
            size = min(3, int(math.log(max(abs(value), 1), 1024)))
            return f"{value / 1024**size:.3g} {('B', 'KiB', 'MiB', 'GiB')[size]}"
        case "dateTimeFromNow":
            return f"{max(0.0, time.time() - value / 1e3):.0f} s ago"
        case "reqps" | "ops":
            return f"{value:.3g}/s"
    return f"{value:,.0f}" if value >= 1000 else f"{value:.3g}"


def query_panel(deployment: Deployment, panel: dict[str, Any], end: float) -> list[Series]:
    """The non-empty series of a panel over the last SECONDS before `end`, with their legends."""
    found: list[Series] = []
    for target in panel["targets"]:
        answer = deployment.prometheus.get(
            "query_range",
            query=target["expr"].replace("$__rate_interval", "10s"),
            start=str(end - SECONDS + 10),
            end=str(end),
            step="1",
        )
        for result in answer["result"]:
            legend = re.sub(r"{{(\w+)}}", lambda name, m=result["metric"]: m.get(name[1], ""), target["legendFormat"])
            points = [(float(at), float(value)) for at, value in result["values"]]
            found.append((legend, [(at, value) for at, value in points if math.isfinite(value)]))
    return [series for series in found if series[1]]


def draw_panel(panel: dict[str, Any], found: list[Series], end: float) -> str:
    """One panel as a group of SVG elements."""
    place, unit = panel["gridPos"], panel["fieldConfig"]["defaults"]["unit"]
    x, y, width, height = place["x"] * CELL, place["y"] * ROW, place["w"] * CELL - 8, place["h"] * ROW - 8
    parts = [
        f'<g transform="translate({x + 4},{y + 4})"><rect class="p" width="{width}" height="{height}" rx="4"/>',
        f'<text class="t" x="10" y="18">{escape(panel["title"])}</text>',
    ]
    if panel["type"] == "stat":
        shown = human(found[0][1][-1][1], unit) if found else "–"
        parts.append(f'<text class="s" x="{width / 2}" y="{height / 2 + 16}">{escape(shown)}</text>')
    elif found:
        parts += curves(
            found[:8], unit, width, height, end, panel["fieldConfig"]["defaults"]["custom"]["stacking"]["mode"]
        )
    else:
        parts.append(f'<text class="n" x="{width / 2}" y="{height / 2}">no such event</text>')
    return "".join([*parts, "</g>"])


def curves(found: list[Series], unit: str, width: int, height: int, end: float, stacking: str) -> list[str]:
    """The axis, the lines (stacked when `stacking` is "normal") and the legend."""
    if stacking == "normal":
        below: dict[float, float] = {}
        stacked = []
        for legend, points in found:
            for at, value in points:
                below[at] = below.get(at, 0.0) + value
            stacked.append((legend, [(at, below[at]) for at, _ in points]))
        found = stacked
    top = max(value for _, points in found for _, value in points) or 1.0
    left, right, high, low = 62, width - 10, 30, height - 40
    parts = []
    for share in (0.0, 0.5, 1.0):
        at = low - (low - high) * share
        parts.append(
            f'<path class="g" d="M{left} {at:.0f}H{right}"/>'
            f'<text class="a" x="{left - 6}" y="{at + 4:.0f}">{escape(human(top * share, unit))}</text>'
        )
    legends, at_x = [], 10
    for number, (legend, points) in enumerate(found):
        colour = COLOURS[number % len(COLOURS)]
        path = "L".join(
            f"{left + (right - left) * (1 - (end - at) / (SECONDS - 10)):.1f} {low - (low - high) * max(value, 0) / top:.1f}"
            for at, value in points
        )
        parts.append(f'<path class="l" stroke="{colour}" d="M{path}"/>')
        if at_x + 14 + 6 * len(legend) < width:
            legends.append(
                f'<rect x="{at_x}" y="{height - 19}" width="8" height="3" fill="{colour}"/>'
                f'<text class="k" x="{at_x + 12}" y="{height - 14}">{escape(legend)}</text>'
            )
            at_x += 24 + 6 * len(legend)
    return parts + legends


STYLE = """.b{fill:#f4f5f7}.p{fill:#fff;stroke:#dcdfe4}text{font:11px sans-serif;fill:#444}.t{font-weight:600;font-size:11px;fill:#222}
.r{font-weight:600;font-size:13px;fill:#222}.s{font-size:34px;text-anchor:middle;fill:#2a7d4f}.n{text-anchor:middle;fill:#999}
.g{stroke:#e8eaee}.a{text-anchor:end;font-size:10px}.l{fill:none;stroke-width:1.5}.k{font-size:10px}"""


def draw(board: dict[str, Any], deployment: Deployment, end: float) -> str:
    """A dashboard as SVG."""
    height = max(panel["gridPos"]["y"] + panel["gridPos"]["h"] for panel in board["panels"]) * ROW + 8
    parts = [
        f'<text class="r" x="8" y="{panel["gridPos"]["y"] * ROW + 17}">{escape(panel["title"])}</text>'
        if panel["type"] == "row"
        else draw_panel(panel, query_panel(deployment, panel, end), end)
        for panel in board["panels"]
    ]
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {24 * CELL} {height}"><style>{STYLE}</style>'
        f'<rect class="b" width="100%" height="100%"/>{"".join(parts)}</svg>\n'
    )


def load(deployment: Deployment) -> float:
    """Make calls of all kinds for SECONDS and pause the workers once, halfway. Returns the end as a Unix time."""
    begun, paused = time.time(), False
    with deployment.traffic():
        while time.time() - begun < SECONDS:
            deployment.call_everything()
            if not paused and time.time() - begun > SECONDS / 2:
                deployment.signal_workers(signal.SIGSTOP)
                time.sleep(1.5)
                deployment.signal_workers(signal.SIGCONT)
                paused = True
            time.sleep(0.3)
    return time.time()


def main() -> None:
    IMAGES.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="inkgate-preview-") as folder:
        server = OwnPostgres(Path(folder))
        url = server.empty()
        migrate.upgrade(url)
        deployment = Deployment(Path(folder), url)
        try:
            deployment.ready()
            end = load(deployment)
            for path in sorted((ROOT / "deploy" / "grafana").glob("*.json")):
                (IMAGES / f"{path.stem}.svg").write_text(draw(json.loads(path.read_text()), deployment, end))
                print(f"wrote docs/img/dashboards/{path.stem}.svg")
        finally:
            deployment.end()
            server.close()


if __name__ == "__main__":
    main()
