"""`inkgate regions`: builds the table of networks and provinces of the console from an operator's own list."""

from __future__ import annotations

import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import IO, Annotated

import typer
from rich.console import Console

from inkgate.service.console.region_builder import BuiltTable, build
from inkgate.service.console.regions import PROVINCES, SETTING
from inkgate.service.csv_export import CsvWriter
from inkgate.service.errors import Misuse

FILE_MODE = 0o644  # the table is no secret, and the console may run as another user
MAX_OTHERS_NAMED = 20

app = typer.Typer(help="Regions 省份 of callers: build the table.", no_args_is_help=True)


@app.callback()
def regions() -> None:
    """A group, although it has one command so far."""


@app.command("build")
def build_table(
    source: Annotated[Path, typer.Argument(help="CSV: network, address or range; region.", metavar="CSV")],
    to: Annotated[Path | None, typer.Option(help="File to write; without it standard output.")] = None,
) -> None:
    """Check a list of networks and their provinces, join neighbours, and write the table of INKGATE_CONSOLE__REGIONS.

    Provinces may be written 浙江省, 浙江, 330000, 33, CN-ZJ or ZJ; other regions are listed and not drawn.
    """
    table = build(source)
    if to is None:
        _write(table, sys.stdout)
    else:
        _replace(table, to)
    _report(table, to)


def _write(table: BuiltTable, file: IO[str]) -> None:
    writer = CsvWriter(file)
    for row in (("network", "region"), *table.rows):
        writer.row(row)


def _replace(table: BuiltTable, path: Path) -> None:
    """Writes the file beside the old one and replaces it, so that a reader never sees half a table. Raises Misuse."""
    try:
        with tempfile.NamedTemporaryFile("w", encoding="utf-8", newline="", dir=path.parent, delete=False) as file:
            _write(table, file.file)
        Path(file.name).chmod(FILE_MODE)
        Path(file.name).replace(path)
    except OSError as error:
        raise Misuse("command.file_unwritable", path=str(path), reason=error.strerror or str(error)) from None


def _report(table: BuiltTable, to: Path | None) -> None:
    """What was built, on standard error."""
    console = Console(stderr=True, highlight=False, soft_wrap=True, markup=False)
    known = {each.name for each in PROVINCES}
    counts = Counter(region for _, region in table.rows)
    others = [f"{region} ({count})" for region, count in counts.most_common() if region not in known]
    console.print(f"{table.lines:,} lines, {len(table.rows):,} networks, {len(counts.keys() & known)} provinces")
    if others:
        console.print(f"no province, so listed and not drawn: {', '.join(others[:MAX_OTHERS_NAMED])}")
    if to is not None:
        console.print(f"set {SETTING}={to.absolute()} and restart the console")
