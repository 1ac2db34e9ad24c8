"""`inkgate takeover report`: what mirrored calls have shown, by app and capability."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from datetime import datetime
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from inkgate.service.audit import trail
from inkgate.service.cli._common import CommandContext, find_account, find_app, run
from inkgate.service.cli.ledger import Since, Until, beijing
from inkgate.service.contract.capabilities import CAPABILITIES
from inkgate.service.csv_export import CsvWriter
from inkgate.service.errors import Misuse
from inkgate.service.takeover import report as reports
from inkgate.service.takeover.report import FieldFigures, Latency, RouteReport
from inkgate.service.takeover.report_document import CSV_COLUMNS, csv_rows, document
from inkgate.service.takeover.statistics import percent
from inkgate.service.takeover.verdict import judge


def report(
    app: Annotated[str, typer.Option(help="Only this app (name, AppKey or id).")] = "",
    capability: Annotated[str, typer.Option(help="Only this capability.")] = "",
    account: Annotated[str, typer.Option(help="Only apps of this account.")] = "",
    since: Since = None,
    until: Until = None,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print CSV, one line per figure.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    chinese: Annotated[bool, typer.Option("--zh", help="Print labels and verdicts in Chinese.")] = False,
) -> None:
    """Compare the answers of the cloud with those read here, by app and capability; whole days, by default the last
    30."""
    if capability and capability not in CAPABILITIES:
        raise Misuse("command.capability_unknown", capability=capability, choices=tuple(CAPABILITIES))

    async def action(context: CommandContext) -> list[RouteReport]:
        async with context.begin() as unit:
            end: datetime = beijing(until) or await unit.now()
            app_id = (await find_app(unit, app, account)).id if app else None
            account_id = (await find_account(unit, account)).id if account else None
            await trail.record_look(unit, "cli.view", "takeover report", account_id)
            start = beijing(since) or end - reports.DEFAULT_PERIOD
            return await reports.report(
                unit.session, start, end, app_id=app_id, capability=capability or None, account_id=account_id
            )

    found = run(action)
    if as_json:
        print(json.dumps([document(each) for each in found], ensure_ascii=False))
    elif as_csv:
        sheet = CsvWriter(sys.stdout)
        for row in (CSV_COLUMNS, *csv_rows(found)):
            sheet.row(row)
    else:
        _print(found, "zh" if chinese else "en")


def _print(found: Sequence[RouteReport], language: str) -> None:
    """Every report as a heading, its verdict, its figures and its fields."""
    screen = Console(soft_wrap=True, highlight=False)
    if not found:
        screen.print("No mirrored calls in these days. Send some: inkgate takeover route APP CAPABILITY mirror")
    for each in found:
        title = each.capability.title_en if language == "en" else each.capability.title
        owner = f" ({each.account_name})" if each.account_name else ""
        screen.print(f"{each.app_name or each.app_id}{owner} · {title}", style="bold", markup=False)
        screen.print(judge(each).text(language), markup=False)
        screen.print(_figures(each), markup=False)
        if each.fields:
            screen.print(_field_table(each, language))
        screen.print()


def _figures(each: RouteReport) -> str:
    """The figures that are not of a field, one line each."""
    skipped = "".join(f", {count:,} {reason}" for reason, count in sorted(each.skipped.items()))
    lines = [f"calls {each.calls:,}: {each.compared:,} compared, {each.unreadable:,} unreadable{skipped}"]
    lines.append(f"time cloud {_times(each.cloud_time)}, here {_times(each.local_time)}")
    other = [f"{pair.cloud}/{pair.local} {pair.count:,}" for pair in each.codes if pair.cloud != pair.local]
    lines.append("other codes (cloud/here) " + (", ".join(other[:8]) or "none"))
    if each.text is not None:
        lines.append(
            f"text {percent(each.characters)} of {each.text.characters:,} characters, without blanks and width "
            f"{percent(each.folded_characters)}; {percent(each.lines)} of lines in any order"
        )
    price = f", {each.saved_fen / 100:,.2f} yuan at the price of {each.price}" if each.price else ""
    lines.append(f"units of the cloud {each.units:,}{price}")
    return "\n".join(lines)


def _field_table(report: RouteReport, language: str) -> Table:
    table = Table(box=None, pad_edge=False)
    for number, name in enumerate(("field", "values", "agree", "folded", "differ", "cloud only", "here only")):
        table.add_column(name, justify="right" if number else "left", no_wrap=number > 0)
    for each in report.fields:
        table.add_row(*_field_cells(report.label(each.name, language), each))
    return table


def _field_cells(label: str, each: FieldFigures) -> tuple[str, ...]:
    counts = (each.differs, each.only_cloud, each.only_local)
    shares = (each.agreement.text, percent(each.folded_agreement.value))
    return (label, f"{each.values:,}", *shares, *(f"{count:,}" for count in counts))


def _times(found: Latency) -> str:
    if found.p50 is None or found.p95 is None or found.p99 is None:
        return "-"
    return f"p50 {found.p50:,.0f} / p95 {found.p95:,.0f} / p99 {found.p99:,.0f} ms"
