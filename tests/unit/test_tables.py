"""Every program that opens the database knows all tables, whatever else it imports."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PROGRAMS = sorted(
    str(path.relative_to(ROOT).with_suffix("")).replace("/", ".")
    for folder in ("benchmarks", "tools")
    for path in (ROOT / folder).rglob("*.py")
    if "service.db import engine" in path.read_text()
)
COMPOSITIONS = [f"inkgate.service.composition.{name}" for name in ("console", "embedded", "gateways")]
# Raises NoReferencedTableError when a foreign key names a table that was not imported.
SORT_TABLES = "from inkgate.service.db.base import Base; print(len(Base.metadata.sorted_tables))"


@pytest.mark.parametrize("program", [*COMPOSITIONS, *PROGRAMS])
def test_a_program_imports_the_tables_of_all_foreign_keys(program: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", f"import {program}; {SORT_TABLES}"], cwd=ROOT, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 0


def test_the_ledger_benchmark_is_among_the_programs() -> None:
    assert "benchmarks.metering.__main__" in PROGRAMS
