"""Check package coverage against its floor: `python -m tools.coverage_floors [--raise] build/coverage.json`.

Reads the JSON report of coverage and tests/coverage_floors.toml: the least percentage of executed lines of each package
of `service` and `engines` (modules directly in those folders count as one package). Prints a table. Exit status 1 when
a package is below its floor or has none, or a floor names no package. With `--raise` floors are first raised to the
measured percentage, rounded down, less MARGIN, and new packages are added; floors are never lowered.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
import tomllib
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
FLOORS = ROOT / "tests" / "coverage_floors.toml"
TOPS = ("service", "engines")
MARGIN = 1  # percent of lines whose execution depends on timing
HEAD = (
    "# Percent of lines that the unit tests must run (`make coverage`), by package; see tools/coverage_floors.py.\n"
    "[floors]\n"
)


@dataclass(frozen=True)
class Covered:
    """Executable and executed lines of one package."""

    statements: int = 0
    executed: int = 0

    @property
    def percent(self) -> float:
        """Percentage of executed lines; 100 for a package without executable lines."""
        return 100.0 * self.executed / self.statements if self.statements else 100.0


def package_of(file: str) -> str | None:
    """`service/gateway` for a file of that folder, `service` for one directly in it, None for any other file."""
    parts = Path(file).parts
    if len(parts) < 2 or parts[0] not in TOPS:
        return None
    return parts[0] if len(parts) == 2 else f"{parts[0]}/{parts[1]}"


def measured(report: Mapping[str, Any]) -> dict[str, Covered]:
    """Coverage by package, from the document that `coverage json` writes."""
    found: dict[str, Covered] = defaultdict(Covered)
    for file, details in report["files"].items():
        package = package_of(file)
        if package is not None:
            before, summary = found[package], details["summary"]
            found[package] = Covered(
                before.statements + summary["num_statements"], before.executed + summary["covered_lines"]
            )
    return dict(found)


def faults(found: Mapping[str, Covered], floors: Mapping[str, float]) -> list[str]:
    """One message for each package below its floor, without a floor, or without coverage data."""
    wrong = [
        f"{package}: {found[package].percent:.1f} % is below its floor of {floor:g} %"
        for package, floor in sorted(floors.items())
        if package in found and found[package].percent < floor
    ]
    wrong += [f"{package}: no floor in {FLOORS.name}" for package in sorted(found.keys() - floors.keys())]
    wrong += [f"{package}: has a floor but was not measured" for package in sorted(floors.keys() - found.keys())]
    return wrong


def raised(found: Mapping[str, Covered], floors: Mapping[str, float]) -> dict[str, float]:
    """The raised floors of the measured packages; none is lower than before."""
    return {
        package: max(floors.get(package, 0), math.floor(covered.percent) - MARGIN) for package, covered in found.items()
    }


def main() -> int:
    """Print the table. Returns 1 when a package is below its floor."""
    parser = argparse.ArgumentParser(prog="python -m tools.coverage_floors", description=__doc__)
    parser.add_argument("report", type=Path, help="the output file of `coverage json`")
    parser.add_argument(
        "--raise", action="store_true", dest="lift", help="raise the floors to the measured percentages"
    )
    options = parser.parse_args()
    found = measured(json.loads(options.report.read_text("utf-8")))
    floors: dict[str, float] = tomllib.loads(FLOORS.read_text("utf-8"))["floors"]
    if options.lift:
        floors = raised(found, floors)
        lines = [f'"{package}" = {floor:g}\n' for package, floor in sorted(floors.items())]
        FLOORS.write_text(HEAD + "".join(lines), "utf-8")
    print(f"{'package':<28}{'lines':>8}{'covered':>10}{'floor':>8}")
    for package, covered in sorted(found.items()):
        floor = f"{floors[package]:g} %" if package in floors else "-"
        print(f"{package:<28}{covered.statements:>8}{covered.percent:>8.1f} %{floor:>8}")
    wrong = faults(found, floors)
    print(*wrong, sep="\n", file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
