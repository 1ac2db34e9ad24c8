"""`inkgate account import` and `inkgate app import`: keys that another service has issued."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path

import typer

from inkgate.service.cli._common import JSON, OWNER, CommandContext, find_app, print_fields, run
from inkgate.service.errors import Misuse
from inkgate.service.importing.reading import MAX_FILE_BYTES
from inkgate.service.importing.records import APP_RECORDS, FIELDS, Report
from inkgate.service.importing.service import import_file, import_sm2_key
from inkgate.service.importing.template import template
from inkgate.service.sealed.private_key import MAX_TEXT_LENGTH

FILE = typer.Argument(None, help="CSV or JSON in UTF-8; `-`: standard input.", allow_dash=True)
KEY_FILE = typer.Argument(..., help="The SM2 private key; `-`: standard input.", allow_dash=True)
APPLY = typer.Option(False, "--apply", help="Write it. Without this option the import is only tried.")
TEMPLATE = typer.Option(False, "--template", help="Print a file to start from (with --json as JSON), and stop.")


def import_all(file: Path = FILE, apply: bool = APPLY, show_template: bool = TEMPLATE, as_json: bool = JSON) -> None:
    """Import accounts, access keys, apps, opened capabilities and remaining units, as the cloud issued them.

    A dry run unless --apply is given: everything is checked, and nothing is changed.
    """
    _import(file, apply, show_template, as_json, tuple(FIELDS))


def import_apps(file: Path = FILE, apply: bool = APPLY, show_template: bool = TEMPLATE, as_json: bool = JSON) -> None:
    """Import apps, opened capabilities and remaining units into accounts that exist.

    A dry run unless --apply is given: everything is checked, and nothing is changed.
    """
    _import(file, apply, show_template, as_json, APP_RECORDS)


def import_key_pair(
    name: str,
    file: Path = KEY_FILE,
    account: str = OWNER,
) -> None:
    """Replace the SM2 key pair of an app (name, AppKey or id) by one that its clients use already."""
    text = _read(file, MAX_TEXT_LENGTH).decode("utf-8", "replace")

    async def action(context: CommandContext) -> dict[str, object]:
        async with context.begin() as unit:
            found = await find_app(unit, name, account)
            row = await import_sm2_key(unit, await context.vault(), found.id, text)
            return {"APP": row.id, "ENCKEY": row.sm2_public_key}

    print_fields(run(action), as_json=False)


def _import(file: Path | None, apply: bool, show_template: bool, as_json: bool, kinds: Sequence[str]) -> None:
    if show_template:
        sys.stdout.write(template(kinds, as_json=as_json))
        return
    if file is None:
        raise Misuse("import.file_missing")
    data = _read(file, MAX_FILE_BYTES)

    async def action(context: CommandContext) -> Report:
        return await import_file(context.begin, await context.vault(), data, apply=apply, kinds=kinds)

    report = run(action)
    if as_json:
        print(json.dumps(as_object(report), ensure_ascii=False))
    else:
        _print(report)
    if report.problems:
        raise Misuse("import.refused", problems=len(report.problems) + report.more_problems)


def _read(path: Path, most: int) -> bytes:
    """A file, or standard input for `-`, cut one byte above `most`. Raises Misuse."""
    try:
        if str(path) == "-":
            return sys.stdin.buffer.read(most + 1)
        with path.open("rb") as file:
            return file.read(most + 1)
    except OSError as error:
        raise Misuse("import.file_unreadable", path=str(path), why=error.strerror or "") from None


def as_object(report: Report) -> dict[str, object]:
    """A report as JSON: the fields of the admin API."""
    return {
        "applied": report.applied,
        "counts": dict(report.counts),
        "problems": [
            {"row": each.row, "field": each.field, "code": each.reason.code, "detail": str(each.reason)}
            for each in report.problems
        ],
        "more_problems": report.more_problems,
        "sealing": [
            {"app": each.name, "account": each.account, "own_key": each.own_key, "enckey": each.enckey}
            for each in report.sealing
        ],
    }


def _print(report: Report) -> None:
    for problem in report.problems:
        print(problem.text(), file=sys.stderr)
    if report.more_problems:
        print(f"and {report.more_problems} more", file=sys.stderr)
    if report.problems:
        return
    counts = ", ".join(f"{count} {kind}" for kind, count in report.counts.items() if count)
    print(f"{'imported' if report.applied else 'can be imported'}: {counts}")
    for each in report.sealing:
        print(_sealing_line(f"{each.name} ({each.account})", each.own_key, each.enckey))
    if not report.applied:
        print("nothing was changed; run it again with --apply to write it")


def _sealing_line(name: str, own_key: bool, enckey: str) -> str:
    """What an app whose clients seal bodies needs."""
    if own_key:
        return f"{name}: its clients seal bodies; its key pair came along"
    needed = f"{name}: its clients seal bodies; the cloud keeps the private key, so they need a new public key"
    return f"{needed}: {enckey}" if enckey else needed
