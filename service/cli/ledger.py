"""`inkgate ledger …`: verification, export, housekeeping and clock repair."""

from __future__ import annotations

import sys
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from inkgate.service.audit import trail
from inkgate.service.cli._common import JSON, CommandContext, find_account, print_table, run
from inkgate.service.db import work
from inkgate.service.db.clock import BEIJING
from inkgate.service.errors import Misuse
from inkgate.service.metering import anchors, clock_repair, housekeeping, ledger_reader, reconciliation
from inkgate.service.metering.clock_repair import FutureMeter
from inkgate.service.metering.reconciliation import ReconciliationState
from inkgate.service.metering.verify import Finding

app = typer.Typer(help="The ledger 账本: verify, export, housekeeping.", no_args_is_help=True)
FIRST_YEAR, LAST_YEAR = 1970, 2199
MAX_FINDINGS = 10_000
DATES = ["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"]
Since = Annotated[datetime | None, typer.Option(formats=DATES, help="From this day or second (Beijing time).")]
Until = Annotated[datetime | None, typer.Option(formats=DATES, help="Up to this day or second, exclusive.")]


@app.command()
def verify(
    export: Annotated[Path | None, typer.Option(help="Verify this export instead of the database.")] = None,
    account: str = typer.Option("", help="Only this account's packs and lines."),
    as_json: bool = JSON,
) -> None:
    """Prove that every unit used has exactly one line, in order of purchase. Exit status 1 with the offending rows."""

    async def action(context: CommandContext) -> list[Finding]:
        account_id = None
        if account:
            async with context.begin() as unit:
                found = await find_account(unit, account)
                account_id = found.parent_id or found.id
        await context.look("ledger", account_id)
        async with work.snapshot_session(context.engine) as session:
            recorded = [] if account_id else await anchors.verify(session)
            return recorded + await ledger_reader.verify_database(
                session, account_id, max_findings=MAX_FINDINGS - len(recorded), on_progress=_print_progress
            )

    findings = ledger_reader.verify_file(export) if export is not None else run(action)
    if findings or as_json:
        print_table(
            ("kind", "where", "what"), [(each.kind, each.where, each.what) for each in findings], as_json=as_json
        )
    if len(findings) == MAX_FINDINGS:
        print(f"ended after {MAX_FINDINGS:,} findings", file=sys.stderr)
    if findings:
        sys.exit(1)
    if not as_json:
        print("the ledger is sound")


def _print_progress(lines: int) -> None:
    print(f"{lines:,} lines verified …", file=sys.stderr, flush=True)


@app.command("export")
def export_(
    account: str,
    to: Annotated[Path | None, typer.Option(help="File to write; without it standard output.")] = None,
    form: str = typer.Option("json", "--format", help="json (which `verify` can prove) or csv."),
    since: Since = None,
    until: Until = None,
) -> None:
    """Export an account's lines, with its packs in the JSON form."""
    if form not in ("json", "csv"):
        raise Misuse("command.export_format_unknown")
    write = ledger_reader.export_json if form == "json" else ledger_reader.export_csv

    async def action(context: CommandContext) -> None:
        async with context.begin() as unit:
            found = await find_account(unit, account)
            await trail.record(unit, "export.ledger", f"ledger of {found.name}", found.id, format=form)
        payer = found.parent_id or found.id
        async with work.snapshot_session(context.engine) as session:
            if to is None:
                await write(session, sys.stdout, payer, beijing(since), beijing(until))
                return
            with to.open("w", encoding="utf-8", newline="") as out:
                await write(session, out, payer, beijing(since), beijing(until))

    run(action)


@app.command()
def maintain(
    from_start: bool = typer.Option(
        False, "--from-start", help="Forget which lines were compared, and read all of them again."
    ),
) -> None:
    """Run one round of housekeeping now: partitions ahead, retention, comparison of packs and lines."""

    async def action(context: CommandContext) -> ReconciliationState:
        if from_start:
            await reconciliation.restart_from_first_line(context.engine)
            async with context.begin() as unit:
                await trail.record(unit, "ledger.recheck", "ledger", None)
        keeper = housekeeping.Housekeeper(
            context.engine, context.settings.ledger, lambda found: None, clock=context.clock
        )
        return await keeper.run_round()

    found = run(action)
    print(f"drift {found.drift} units")
    if found.backlog:
        print(f"{found.backlog:,} lines are left for later rounds")
    if found.broken:
        print(f"{found.broken:,} ledger entries are missing or changed")
    if found.drift or found.broken:
        sys.exit(1)


@app.command("repair-clock")
def repair_clock(
    yes: bool = typer.Option(False, "--yes", help="Do it; without this only say what would be done."),
    as_json: bool = JSON,
) -> None:
    """Correct what was settled while the clock was ahead. Set the clocks first; ledger lines are not touched."""

    async def action(context: CommandContext) -> clock_repair.Findings:
        async with context.begin() as unit:
            found = await clock_repair.find_future_data(unit)
        if yes:
            for each in found.meters:  # one transaction per meter, so that calls wait for one meter at a time
                async with context.begin() as unit:
                    await clock_repair.repair_meter(unit, (each.account_id, each.capability))
            if not found.is_empty:
                async with context.begin() as unit:
                    await clock_repair.repair_statistics(unit)
        return found

    found = run(action)
    columns = ("account", "capability", "settled_at", "packs", "hours", "calls", "units")
    if found.meters or as_json:
        print_table(
            columns,
            [tuple(getattr(each, name) for name in FutureMeter.__slots__) for each in found.meters],
            as_json=as_json,
        )
    if as_json:
        return
    for pack in found.ordered:
        print(f"pack {pack} was ordered in the future and is left as it is: grant another, or wait for it")
    if found.is_empty:
        print("nothing lies in the future")
    elif yes:
        print(f"corrected: {len(found.meters)} meters, {found.refusals} refused calls; now run: inkgate ledger verify")
    else:
        print(
            f"{len(found.meters)} meters and {found.refusals} refused calls lie in the future; to put them right "
            "take a backup, then add --yes"
        )


def beijing(moment: datetime | None) -> datetime | None:
    """A date or time as typed, in Beijing time. Raises Misuse if the year is out of range."""
    if moment is not None and not FIRST_YEAR <= moment.year <= LAST_YEAR:
        raise Misuse("moment.out_of_range", first=FIRST_YEAR, last=LAST_YEAR)
    return moment.replace(tzinfo=BEIJING) if moment is not None else None
