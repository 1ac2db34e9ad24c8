"""The files of benchmarks/results as docs/explanation/performance.md shows them."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).resolve().parent.parent / "benchmarks" / "results"
PICTURES = "pictures"  # key of the throughput results
Rows = list[tuple[object, ...]]
Table = Callable[[tuple[str, ...], Rows], str]


def read(name: str) -> Any:
    """The result called `name`."""
    return json.loads((RESULTS / f"{name}.json").read_text(encoding="utf-8"))


def source(name: str, machine: dict[str, Any]) -> str:
    """The line below a table: file, machine, its load (processes that wanted to run) and date."""
    vector = "VNNI" if "avx512_vnni" in machine["vector"] else "AVX2"
    where = f"{machine['processor']} ({vector}), {machine['cores']} 核 cores, Python {machine['python']}"
    where += f", 负载 load {machine['load_average'][0]:.0f}"
    return f"<small>`benchmarks/results/{name}.json` · {where} · {machine['measured_at'][:10]}</small>\n"


Column = tuple[str, Callable[[str, Any], object]]
"""The heading of a column, and its cell from the name and the figures of a row."""


def sourced(table: Table, name: str, head: tuple[str, ...], rows: Rows, note: str = "") -> str:
    """A table of the result called `name`, a note, and the line that names its source."""
    return f"{table(head, rows)}\n{note}{source(name, read(name)['machine'])}"


def columns(table: Table, name: str, lines: Mapping[str, Any], shown: Sequence[Column], note: str = "") -> str:
    """As `sourced`, with a row for each of `lines`."""
    rows: Rows = [tuple(cell(line, figures) for _, cell in shown) for line, figures in lines.items()]
    return sourced(table, name, tuple(heading for heading, _ in shown), rows, note)


def share(value: float) -> str:
    """A share in 0..1 as in the rest of the documentation: .9812."""
    return f"{value:.4f}".removeprefix("0")
