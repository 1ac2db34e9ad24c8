"""Generate the pages of docs/ that have a source elsewhere, the chart's schema, dashboards, and versions in files.

python -m tools.reference           write docs/reference/{settings,metrics,cli,permissions,alerts,api,sizing,cost,
                                    compliance,hostile-clients}.md,
                                    docs/explanation/performance.md, docs/adr/index.md, the figures of the READMEs,
                                    the files of tools/versions.py, chart files, dashboards
python -m tools.reference --check   exit status 1 when a page is not up to date
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer.main
import yaml

from inkgate.service.settings import Settings
from inkgate.service.telemetry.metrics import Metrics
from tools import sizing
from tools.api_page import api_page
from tools.compliance_page import compliance_page
from tools.cost_page import cost_page
from tools.decisions import FOLDER as DECISIONS
from tools.decisions import decisions_page
from tools.hostile_clients_page import hostile_clients_page
from tools.permissions_page import permissions_page
from tools.readme_figures import with_figures
from tools.results_page import results_page
from tools.versions import versioned_files

ROOT = Path(__file__).resolve().parent.parent
PAGES = ROOT / "docs" / "reference"
EXPLANATION = ROOT / "docs" / "explanation"
READMES = {ROOT / "README.md": "zh", ROOT / "README.en.md": "en"}  # only the figures in them are generated
TABLES_IN_ENGLISH = (
    "---\nlanguage: mixed\nlanguage_note: 说明为两种语言，表格内容为英文。 "
    "The introduction is in both languages, the descriptions in the tables are in English.\n---\n"
)
GENERATED_NOTE = "<!-- Made by tools/reference.py; change the source, then run: make reference -->\n"


def cell(text: object) -> str:
    return str(text).replace("|", "\\|").replace("\n", " ")


def table(head: tuple[str, ...], rows: Iterator[tuple[object, ...]] | list[tuple[object, ...]]) -> str:
    lines = [f"| {' | '.join(head)} |", f"|{'---|' * len(head)}"]
    lines += [f"| {' | '.join(cell(value) for value in row)} |" for row in rows]
    return "\n".join(lines) + "\n"


def value_type(schema: dict[str, Any]) -> str:
    """The type and the bounds of a setting's value, from its JSON schema."""
    if "secret" in schema:
        return "secret"
    if "anyOf" in schema:
        return " / ".join(value_type(part) for part in schema["anyOf"] if part.get("type") != "null")
    if "enum" in schema:
        return ", ".join(f"`{choice}`" for choice in schema["enum"])
    kind = {
        "array": "JSON list",
        "object": "JSON object",
        "integer": "integer",
        "number": "number",
        "boolean": "true, false",
        "string": {"password": "secret", "path": "path"}.get(schema.get("format", ""), "text"),
    }[schema["type"]]
    bounds = {"minimum": "≥", "exclusiveMinimum": ">", "maximum": "≤", "exclusiveMaximum": "<"}
    limits = [f"{operator} {schema[name]}" for name, operator in bounds.items() if name in schema]
    return f"{kind} {', '.join(limits)}".strip()


def default(schema: dict[str, Any]) -> str:
    value = schema.get("default")
    return "" if value in (None, "", [], ()) else f"`{json.dumps(value, ensure_ascii=False)}`"


def settings_page() -> str:
    model = Settings.model_json_schema()
    parts = [
        TABLES_IN_ENGLISH,
        "# 设置 · Settings\n",
        GENERATED_NOTE,
        "每一项都是环境变量 `INKGATE_组__名称`，启动时读取一次。组内不认识的名称、不合法的值都会在启动时报出并退出"
        "（状态 2）。列表与对象写成 JSON。chart 里写在 `config` 下，用小写：`config.limits.deadline`。\n",
        "Every setting is an environment variable `INKGATE_GROUP__NAME`, read once at process start. An invalid value, "
        "or an unknown name within a group, ends the start with one line that names it (exit status 2). Lists and "
        "objects are JSON. In the chart, write it under `config` in lower case: `config.limits.deadline`.\n",
    ]
    for group, reference in model["properties"].items():
        definition = model["$defs"][(reference.get("$ref") or reference["allOf"][0]["$ref"]).rsplit("/", 1)[1]]
        rows = [
            (f"`INKGATE_{group}__{name}`".upper(), value_type(schema), default(schema), schema.get("description", ""))
            for name, schema in definition["properties"].items()
        ]
        about = definition.get("description", "").strip()
        head = ("名称 / Name", "取值 / Takes", "默认 / Default", "说明 / What")
        parts.append(f"## {group}\n\n{about}\n\n{table(head, rows)}")
    return "\n".join(parts)


def metrics_page() -> str:
    metrics = Metrics("gateway", "0")
    rows = [
        (f"`{doc.name}`", doc.kind, ", ".join(f"`{label}`" for label in doc.labels), doc.help)
        for doc in metrics.catalogue
    ]
    return "\n".join(
        [
            TABLES_IN_ENGLISH,
            "# 指标 · Metrics\n",
            GENERATED_NOTE,
            "网关在自己的端口上提供 `/metrics`，worker 在 `INKGATE_WORKER__HEALTH_PORT`（9091）上提供。单位为秒与字节，"
            "标签取值有界，不含调用号。队列的量在每个网关上都是整个队列的：取 `max`；其余的量取 `sum`。"
            "另有 `process_*`。\n",
            "Gateways serve `/metrics` on their own port, workers on `INKGATE_WORKER__HEALTH_PORT` (9091). Units are "
            "seconds and bytes; labels have a bounded number of values and never hold a call id. Queue gauges describe "
            "the whole queue, whichever gateway shows them: take their `max`, and the `sum` of all others. "
            "`process_*` metrics are included.\n",
            table(("名称 / Name", "类型 / Kind", "标签 / Labels", "说明 / What"), rows),
        ]
    )


def alerts_page() -> str:
    rules = yaml.safe_load((ROOT / "deploy" / "prometheus" / "inkgate.rules.yml").read_text())
    rows = [
        (
            f"[`{rule['alert']}`](../{rule['annotations']['runbook'].removeprefix('docs/')})",
            rule["labels"]["severity"],
            f"`{' '.join(rule['expr'].split())}`",
            rule.get("for", ""),
        )
        for group in rules["groups"]
        for rule in group["rules"]
        if "alert" in rule
    ]
    return "\n".join(
        [
            TABLES_IN_ENGLISH,
            "# 告警 · Alerts\n",
            GENERATED_NOTE,
            "`deploy/prometheus/inkgate.rules.yml`；chart 以 `monitoring.rules.enabled` 给出同一份。\n",
            "Rules for Prometheus; the chart installs the same ones with `monitoring.rules.enabled`.\n",
            table(("告警 / Alert", "级别 / Severity", "条件 / Expression", "持续 / For"), rows),
        ]
    )


def commands(command: Any, path: str) -> Iterator[str]:
    """A section for `command`, or for each command of a group, recursively."""
    context = command.make_context(path, [], resilient_parsing=True)
    if hasattr(command, "list_commands"):
        for name in command.list_commands(context):
            subcommand = command.get_command(context, name)
            if subcommand is not None:
                yield from commands(subcommand, f"{path} {name}")
        return
    rows = []
    for parameter in command.params:
        if parameter.name == "help":
            continue
        if parameter.param_type_name == "argument":
            name = f"`{parameter.name.upper()}`"
        else:
            name = ", ".join(f"`{option}`" for option in (*parameter.opts, *parameter.secondary_opts))
        value = parameter.default
        shown = "" if value is None or value is False or value == "" or callable(value) else f" [{value}]"
        required = " **required**" if parameter.required else ""
        rows.append((name, f"{getattr(parameter, 'help', None) or ''}{shown}{required}"))
    body = table(("参数 / Parameter", "说明 / What"), rows) if rows else ""
    yield f"## {path}\n\n{(command.help or '').strip()}\n\n{body}"


def cli_page() -> str:
    from inkgate.service.cli import app

    sections = list(commands(typer.main.get_command(app), "inkgate"))
    return "\n".join(
        [
            TABLES_IN_ENGLISH,
            "# 命令 · Commands\n",
            GENERATED_NOTE,
            "每个命令都有 `--help`。出错时只有一行，说明原因与办法；用法或设置不对时退出状态为 2，其余为 1。\n",
            "Every command has `--help`. An error is one line with cause and remedy; the exit status is 2 for wrong "
            "usage or settings, and 1 otherwise.\n",
            *sections,
        ]
    )


def pages() -> dict[Path, str]:
    """The expected content of every page."""
    return {
        PAGES / "settings.md": settings_page(),
        PAGES / "metrics.md": metrics_page(),
        PAGES / "alerts.md": alerts_page(),
        PAGES / "cli.md": cli_page(),
        PAGES / "permissions.md": permissions_page(GENERATED_NOTE, table),
        PAGES / "api.md": api_page(GENERATED_NOTE, table),
        PAGES / "sizing.md": sizing.page(),
        PAGES / "cost.md": cost_page(GENERATED_NOTE, table),
        PAGES / "compliance.md": compliance_page(GENERATED_NOTE, table),
        PAGES / "hostile-clients.md": hostile_clients_page(GENERATED_NOTE, table),
        EXPLANATION / "performance.md": results_page(GENERATED_NOTE, table),
        DECISIONS / "index.md": decisions_page(GENERATED_NOTE),
        **versioned_files(),
        **{path: with_figures(path.read_text(), language, table) for path, language in READMES.items()},
    }


def main() -> None:
    from tools import chart_docs, dashboards

    expected = pages()
    stale = [path for path, content in expected.items() if not path.exists() or path.read_text() != content]
    if "--check" not in sys.argv:
        for path in stale:
            path.write_text(expected[path])
            print(f"wrote {path.relative_to(ROOT)}")
    elif stale:
        raise SystemExit(f"not current: {', '.join(path.name for path in stale)}; run: make reference")
    chart_docs.main()
    dashboards.main()


if __name__ == "__main__":
    main()
