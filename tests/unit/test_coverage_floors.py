"""The floors of coverage: by package, and a package that is missing on either side is a fault."""

from __future__ import annotations

import tomllib
from typing import Any

import pytest

from tools.coverage_floors import FLOORS, ROOT, TOPS, Covered, faults, measured, package_of, raised


def report(**files: tuple[int, int]) -> dict[str, Any]:
    return {
        "files": {
            name: {"summary": {"num_statements": statements, "covered_lines": covered}}
            for name, (statements, covered) in files.items()
        }
    }


@pytest.mark.parametrize(
    ("file", "package"),
    [
        ("service/gateway/app.py", "service/gateway"),
        ("engines/documents/idcard/fields.py", "engines/documents"),
        ("service/errors.py", "service"),
        ("tools/audit.py", None),
        ("errors.py", None),
    ],
)
def test_files_belong_to_packages(file: str, package: str | None) -> None:
    assert package_of(file) == package


def test_lines_are_added_up_by_package() -> None:
    files = {"service/gateway/a.py": (10, 9), "service/gateway/b.py": (30, 21), "service/errors.py": (4, 4)}
    found = measured(report(**files))
    assert found == {"service/gateway": Covered(40, 30), "service": Covered(4, 4)}
    assert found["service/gateway"].percent == 75.0


def test_a_package_below_its_floor_or_missing_on_either_side_is_a_fault() -> None:
    found = {"service/gateway": Covered(40, 30), "service/new": Covered(4, 4)}
    assert faults(found, {"service/gateway": 75, "service/new": 100}) == []
    (below,) = faults(found, {"service/gateway": 75.5, "service/new": 100})
    assert below.startswith("service/gateway: 75.0 % is below")
    assert [line.split(":")[0] for line in faults(found, {"service/gateway": 75, "service/old": 1})] == [
        "service/new",
        "service/old",
    ]


def test_floors_are_lifted_and_never_lowered() -> None:
    found = {"service/gateway": Covered(1000, 956), "service/new": Covered(10, 10)}
    assert raised(found, {"service/gateway": 80, "service/old": 50}) == {"service/gateway": 94, "service/new": 99}
    assert raised(found, {"service/gateway": 98})["service/gateway"] == 98


def test_every_folder_with_code_has_a_floor_and_no_other() -> None:
    floors = tomllib.loads(FLOORS.read_text("utf-8"))["floors"]
    folders = {
        package
        for top in TOPS
        for path in (ROOT / top).rglob("*.py")
        if "training" not in path.parts and path.read_text("utf-8").strip()
        for package in [package_of(str(path.relative_to(ROOT)))]
        if package is not None
    }
    assert floors.keys() == folders
