"""The tables of tests/schedule.py name tests that exist: otherwise a renamed test would lose its entry silently."""

from __future__ import annotations

import ast
import re
import tomllib
from pathlib import Path

import pytest

from tests.schedule import ONE_WORKER, SERIAL, SLOW, WAITING, group_of, listed
from tests.valkey import port_range

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


def test_what_ci_runs_without_the_unit_tests_is_every_other_folder() -> None:
    """A new folder of `testpaths` has to be named in the Makefile too."""
    folders = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["pytest"]["ini_options"]["testpaths"]
    named = re.search(r"^OTHER_TESTS := \$\(addprefix tests/,([\w ]+)\)$", (ROOT / "Makefile").read_text(), re.M)
    assert named is not None
    assert sorted({"tests/unit", *(f"tests/{each}" for each in named[1].split())}) == sorted(folders)


def test_every_test_target_of_ci_is_run_once() -> None:
    """As a step, or side by side with others, with a limit; `chart` and `takeover-test` are run in their parts."""
    script = (ROOT / ".ci" / "run").read_text()
    named = re.findall(r"(?:limited \d+ make |\d+:)([a-z-]+)", script)
    assert len(named) == len(set(named))
    wanted = {"lint", "docs", "sbom", "audit", "coverage", "test-others", "test-serial", "test-paddle", "fuzz"}
    wanted |= {"console-test", "chaos", "conformance", "takeover-test-parallel", "takeover-test-serial", "compose-test"}
    wanted |= {"chart-live", "chart-files", "airgap-test", "tls-test", "failover-test"} | {"install", "chart-tools"}
    assert set(named) == wanted


def test_runs_side_by_side_try_different_ports() -> None:
    taken = [port for share in range(0, 24, 2) for worker in ("gw0", "gw1") for port in port_range(worker, share)]
    assert len(taken) == len(set(taken)) and min(taken) >= 20_000 and max(taken) < 32_000
    assert port_range("", 4) == port_range("gw0", 4)
