"""The tables of tests/schedule.py name tests that exist: otherwise a renamed test would lose its entry silently."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from tests.schedule import ONE_WORKER, SERIAL, SLOW, WAITING, group_of, listed

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("entry", [*SERIAL, *WAITING, *SLOW, *ONE_WORKER])
def test_every_entry_names_tests(entry: str) -> None:
    name, _, function = entry.partition("::")
    path = ROOT / name
    if not function:
        assert path.is_dir() if name.endswith("/") else path.is_file()
        return
    tree = ast.parse(path.read_text("utf-8"))
    assert function in {node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}


def test_an_entry_covers_what_lies_below_it_and_nothing_else() -> None:
    assert listed("tests/a/test_b.py::test_c", "tests/a/")
    assert listed("tests/a/test_b.py::test_c", "tests/a/test_b.py")
    assert listed("tests/a/test_b.py::test_c", "tests/a/test_b.py::test_c")
    assert not listed("tests/a/test_b.py::test_cd", "tests/a/test_b.py::test_c")
    assert not listed("tests/ab/test_b.py::test_c", "tests/a/")


def test_tests_of_the_second_run_are_in_two_groups() -> None:
    assert set(WAITING) < set(SERIAL)
    assert {group_of(f"{entry}::test_x" if entry.endswith(".py") else entry) for entry in WAITING} == {"waiting"}
    assert {group_of(entry) for entry in set(SERIAL) - set(WAITING)} == {"judged"}


def test_an_expensive_fixture_is_made_by_one_worker() -> None:
    assert group_of("tests/accuracy/test_plates.py::test_x", ["sandbox"]) == "tests/accuracy/test_plates.py"
    assert group_of("tests/a/test_b.py::test_c", ["tmp_path", "sandbox"]) == "sandbox"
    assert group_of("tests/a/test_b.py::test_c") is None
