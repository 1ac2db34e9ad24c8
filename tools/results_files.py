"""The files of benchmarks/results as docs/explanation/performance.md shows them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).resolve().parent.parent / "benchmarks" / "results"
PICTURES = "pictures"  # key of the throughput results
Table = Callable[[tuple[str, ...], list[tuple[object, ...]]], str]


def read(name: str) -> Any:
    """The result called `name`."""
    return json.loads((RESULTS / f"{name}.json").read_text(encoding="utf-8"))


def source(name: str, machine: dict[str, Any]) -> str:
    """The line below a table: file, machine, its load (processes that wanted to run) and date."""
    vector = "VNNI" if "avx512_vnni" in machine["vector"] else "AVX2"
    where = f"{machine['processor']} ({vector}), {machine['cores']} 核 cores, Python {machine['python']}"
    where += f", 负载 load {machine['load_average'][0]:.0f}"
    return f"<small>`benchmarks/results/{name}.json` · {where} · {machine['measured_at'][:10]}</small>\n"


def share(value: float) -> str:
    """A share in 0..1 as in the rest of the documentation: .9812."""
    return f"{value:.4f}".removeprefix("0")
