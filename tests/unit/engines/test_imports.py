"""Which module may name which inference library: each library has its modules, and what reads names none."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import inkgate.engines

ROOT = Path(inkgate.engines.__file__).parent
LIBRARIES = {
    "onnxruntime": {"runtimes/onnx.py", "runtimes/cuda.py", "runtimes/cpu.py"},
    "openvino": {"runtimes/openvino.py"},
    "paddle": {"runtimes/paddle.py"},
    "paddleocr": {"runtimes/paddle.py"},
    "paddlex": {"runtimes/paddle.py"},
}
READERS = ("text", "plate", "idcard", "licence", "document")
RUNTIMES = "inkgate.engines.runtimes."


def modules() -> Iterator[tuple[str, set[str]]]:
    """Each module's path below engines/ and the full names that it imports. Training tools run outside the service."""
    for path in sorted(ROOT.rglob("*.py")):
        name = path.relative_to(ROOT).as_posix()
        if not name.startswith("plate/training/"):
            yield name, set(_imported(ast.parse(path.read_text(encoding="utf-8"))))


def _imported(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or ""
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


@pytest.mark.parametrize("library", LIBRARIES)
def test_only_its_runtime_imports_a_library(library: str) -> None:
    importers = {name for name, found in modules() if any(one.split(".")[0] == library for one in found)}
    assert importers <= LIBRARIES[library]


def test_the_libraries_are_imported_at_all() -> None:
    found = {one.split(".")[0] for _, names in modules() for one in names}
    assert {"onnxruntime", "openvino", "paddleocr"} <= found


def test_readers_know_the_protocol_of_runtimes_and_no_runtime() -> None:
    checked = 0
    for name, found in modules():
        if name.split("/")[0] in READERS:
            runtimes = {one.removeprefix(RUNTIMES) for one in found if one.startswith(RUNTIMES)}
            assert {one.split(".")[0] for one in runtimes} <= {"interface"}, name
            checked += bool(runtimes)
    assert checked > 3


def test_readers_load_no_inference_library() -> None:
    names = (*READERS, "text.build", "text.engine", "plate.pipeline", "networks")
    statement = f"import sys, {', '.join(f'inkgate.engines.{name}' for name in names)}"
    code = f"{statement}\nprint(*sorted({set(LIBRARIES)!r} & set(sys.modules)))"
    environment = {"PYTHONPATH": str(ROOT.parents[1])}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment)
    assert done.stdout.split() == []
