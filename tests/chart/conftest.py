"""The chart as helm renders it. A missing tool is a failure that says what to install."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from tools import ops_tools

ROOT = Path(__file__).resolve().parents[2]
CHART = ROOT / "helm" / "inkgate"
VALUES = sorted(path.name.removesuffix("-values.yaml") for path in (CHART / "ci").glob("*-values.yaml"))

Object = dict[str, Any]
VALIDATED: list[str] = []  # one entry for each manifest held against a schema


@dataclass(frozen=True)
class Rendered:
    """All objects of one rendering."""

    objects: tuple[Object, ...]

    def all(self, kind: str) -> list[Object]:
        return [item for item in self.objects if item["kind"] == kind]

    def one(self, kind: str, name: str) -> Object:
        (found,) = [item for item in self.all(kind) if item["metadata"]["name"] == name]
        return found

    def pods(self) -> list[tuple[str, Object]]:
        """(owner's name, pod spec) of everything that makes pods."""
        found = []
        for item in self.objects:
            if item["kind"] in ("Deployment", "StatefulSet", "Job"):
                found.append((item["metadata"]["name"], item["spec"]["template"]["spec"]))
            elif item["kind"] == "Pod":
                found.append((item["metadata"]["name"], item["spec"]))
        return found


def helm(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([str(ops_tools.helm()), *arguments], capture_output=True, text=True, timeout=60)


@cache
def render_chart(chart: Path, *arguments: str) -> Rendered:
    done = helm("template", "ink", str(chart), "--namespace", "ocr", *arguments)
    assert done.returncode == 0, done.stderr
    return Rendered(tuple(item for item in yaml.load_all(done.stdout, Loader=yaml.CSafeLoader) if item))


@pytest.fixture(scope="session")
def render() -> Callable[..., Rendered]:
    """render("default", "--set", "a=b"): the chart with ci/default-values.yaml and more."""

    def call(values: str, *arguments: str) -> Rendered:
        return render_chart(CHART, "--values", str(CHART / "ci" / f"{values}-values.yaml"), *arguments)

    return call


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if VALIDATED:
        versions, passed = sorted(set(VALIDATED)), len(terminalreporter.stats.get("passed", []))
        terminalreporter.write_line(
            f"{len(VALIDATED) // len(versions)} manifests rendered from {len(VALUES)} value files; {len(VALIDATED)} "
            f"checks against the schemas of Kubernetes {' and '.join(versions)}, {passed} tests besides"
        )
