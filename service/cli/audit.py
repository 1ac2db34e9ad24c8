"""`inkgate audit`: show, export and verify the audit trail."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated, TextIO

import typer

from inkgate.service.audit import checkpoints, export, repository, signing, trail, verify
from inkgate.service.audit.keeper import AuditKeeper
from inkgate.service.audit.models import EventRow
from inkgate.service.audit.repository import Filter
from inkgate.service.audit.verify import Outcome
from inkgate.service.cli._common import JSON, CommandContext, find_account, print_fields, print_table, run
from inkgate.service.cli.ledger import Since, Until, beijing
from inkgate.service.csv_export import CsvWriter
from inkgate.service.db import work
from inkgate.service.errors import Misuse
from inkgate.service.metering.anchors import anchor

app = typer.Typer(help="The audit trail 操作审计: show, export, verify.", invoke_without_command=True)
Account = Annotated[str, typer.Option(help="Only this account.")]
Action = Annotated[str, typer.Option(help="Only actions that begin so, as in app or order.place.")]
Result = Annotated[str, typer.Option(help="Only done, refused or failed.")]
COLUMNS = ("at", "actor", "action", "result", "subject", "account", "address", "detail")


@app.callback()
def audit(
    context: typer.Context,
    account: Account = "",
    action: Action = "",
    result: Result = "",
    since: Since = None,
    until: Until = None,
    limit: int = typer.Option(50, min=1, max=10_000),
    as_json: bool = JSON,
) -> None:
    """Show the audit trail, latest first."""
    if context.invoked_subcommand is not None:
        return

    async def show(context: CommandContext) -> list[EventRow]:
        async with context.begin() as unit:
            wanted = await _filter(unit, account, action, result)
            found = await repository.events(
                unit.session, account_id=wanted.account_id, action=action, result=result,
                since=beijing(since), until=beijing(until), limit=limit,
            )  # fmt: skip
            await trail.record_look(unit, "cli.view", "audit trail", wanted.account_id)
            return found

    print_table(COLUMNS, (_row(each, as_json=as_json) for each in run(show)), as_json=as_json)


@app.command("export")
def export_(
    to: Annotated[Path | None, typer.Option(help="File to write; without it standard output.")] = None,
    form: str = typer.Option("json", "--format", help="json (lines, which `verify` can prove) or csv."),
    account: Account = "",
    action: Action = "",
    result: Result = "",
    since: Since = None,
    until: Until = None,
) -> None:
    """Export the audit trail. Without filters but dates, the export proves that nothing between them is missing."""
    if form not in ("json", "csv"):
        raise Misuse("command.export_format_unknown")

    async def write(context: CommandContext) -> None:
        async with context.begin() as unit:
            wanted = await _filter(unit, account, action, result)
            wanted = Filter(wanted.account_id, "", action, result, beijing(since), beijing(until))
            await trail.record(unit, "export.audit", "audit trail", wanted.account_id, format=form)
        if to is None:
            await _write(context, wanted, form, sys.stdout)
            return
        with to.open("w", encoding="utf-8", newline="") as out:
            await _write(context, wanted, form, out)

    run(write)


@app.command("verify")
def verify_(
    file: Annotated[Path | None, typer.Argument(help="An export; it is verified without a database.")] = None,
    key: Annotated[str, typer.Option(help="The public key that must have signed, or a file that holds it.")] = "",
    as_json: bool = JSON,
) -> None:
    """Prove that no event was changed, removed or put in. Exit status 1 with the first broken one."""
    if file is None:
        outcome = run(_verify_database)
    else:
        if not file.is_file():
            raise Misuse("command.file_not_found", paths=(str(file),))
        with file.open(encoding="utf-8", errors="replace") as lines:
            outcome = verify.verify_export(lines, public_key_of(key))
    if as_json:
        print(json.dumps(_document(outcome), ensure_ascii=False))
    elif outcome.sound:
        print(f"{outcome.events:,} events and {outcome.checkpoints:,} signed checkpoints hold")
    else:
        rows = [(each.kind, each.where, each.what) for each in outcome.findings]
        print_table(("kind", "where", "what"), rows, as_json=False)
    if not outcome.sound:
        sys.exit(1)


@app.command("key")
def key_(as_json: bool = JSON) -> None:
    """Print the public key that verifies checkpoints: keep it where who runs the database cannot change it."""

    async def read(context: CommandContext) -> dict[str, object]:
        async with context.begin() as unit:
            await repository.lock_head(unit.session)
            found = await signing.signing_key(unit, await context.vault())
        return {"KEY_ID": found.id, "PUBLIC_KEY": found.public_key}

    print_fields(run(read), as_json=as_json)


@app.command("checkpoint")
def checkpoint() -> None:
    """Sign the end of the trail now, and apply the retention, as gateways do by themselves."""

    async def keep(context: CommandContext) -> str:
        keeper = AuditKeeper(
            context.engine, await context.vault(), context.settings.audit, clock=context.clock, before_signing=[anchor]
        )
        await keeper.run_round()
        async with work.read_session(context.engine) as session:
            last = await repository.last_checkpoint(session)
        return json.dumps(checkpoints.members(last)) if last is not None else "no events"

    print(run(keep))


async def _filter(unit: work.UnitOfWork, account: str, action: str, result: str) -> Filter:
    """The filter of the options. Raises Misuse."""
    if result not in ("", "done", "refused", "failed"):
        raise Misuse("command.audit_result_unknown")
    owner = (await find_account(unit, account)).id if account else None
    return Filter(owner, action=action, result=result)


async def _write(context: CommandContext, wanted: Filter, form: str, out: TextIO) -> None:
    async with work.snapshot_session(context.engine) as session:
        if form == "json":
            async for line in export.json_lines(session, wanted, await work.UnitOfWork(session, "").now()):
                out.write(line)
            return
        sheet = CsvWriter(out)
        sheet.row(export.COLUMNS)
        async for row in export.csv_rows(session, wanted):
            sheet.row(row)


async def _verify_database(context: CommandContext) -> Outcome:
    await context.look("audit trail")
    async with work.snapshot_session(context.engine) as session:
        return await verify.verify_database(session)


def public_key_of(text: str) -> str:
    """The key of an option: the key itself, or a file that holds it; "" for none. Raises Misuse."""
    if not text:
        return ""
    try:
        path = Path(text)
        found = path.read_text(encoding="ascii").strip() if len(text) < 4096 and path.is_file() else text.strip()
        found = found.rpartition("PUBLIC_KEY=")[2].strip()
        signing.key_id_of(found)
    except (OSError, ValueError):
        raise Misuse("command.audit_key_invalid") from None
    return found


def _row(event: EventRow, *, as_json: bool) -> tuple[object, ...]:
    detail = event.detail if as_json else json.dumps(event.detail, ensure_ascii=False)
    subject = f"{event.subject} ({event.subject_name})" if event.subject_name and not as_json else event.subject
    return (event.at, event.actor, event.action, event.result, subject, event.account_name, event.address, detail)


def _document(outcome: Outcome) -> dict[str, object]:
    findings = [{"kind": each.kind, "where": each.where, "what": each.what} for each in outcome.findings]
    return {
        "sound": outcome.sound, "events": outcome.events, "checkpoints": outcome.checkpoints,
        "first": outcome.first, "last": outcome.last, "findings": findings,
    }  # fmt: skip
