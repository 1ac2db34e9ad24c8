"""Every rendering is what Kubernetes takes, on the oldest and the newest version we support."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import jsonschema
import kubernetes_validate
import pytest
import yaml

from tests.chart.conftest import CHART, VALIDATED, VALUES, Object, Rendered, helm

pytestmark = pytest.mark.ops
CRDS = Path(__file__).parent / "crds"
OLDEST, NEWEST = "1.28", kubernetes_validate.latest_version()

Render = Callable[..., Rendered]


def test_the_oldest_version_is_the_charts() -> None:
    assert yaml.safe_load((CHART / "Chart.yaml").read_text())["kubeVersion"] == f">={OLDEST}.0-0"


@pytest.mark.parametrize("values", VALUES)
def test_lint_is_clean(values: str) -> None:
    done = helm("lint", "--strict", str(CHART), "--values", str(CHART / "ci" / f"{values}-values.yaml"))
    assert done.returncode == 0, done.stdout + done.stderr


def check(item: Object, version: str) -> None:
    own = CRDS / f"{item['apiVersion'].replace('/', '-')}-{item['kind']}.json"
    if own.exists():
        jsonschema.validate(item, json.loads(own.read_text()))
    else:
        kubernetes_validate.validate(item, version, strict=True)


@pytest.mark.parametrize("version", [OLDEST, NEWEST])
@pytest.mark.parametrize("values", VALUES)
def test_every_manifest_is_valid(values: str, version: str, render: Render) -> None:
    for item in render(values).objects:
        check(item, version)
        VALIDATED.append(version)


@pytest.mark.parametrize("values", VALUES)
def test_names_are_unique_and_fit(values: str, render: Render) -> None:
    names = [(item["kind"], item["metadata"]["name"]) for item in render(values).objects]
    assert len(names) == len(set(names))
    assert all(len(name) <= 63 for _kind, name in names)


def test_an_old_cluster_gets_a_message() -> None:
    values = str(CHART / "ci" / "default-values.yaml")
    done = helm("template", "ink", str(CHART), "--values", values, "--kube-version", "1.27.0")
    assert done.returncode != 0
    assert "kubeVersion" in done.stderr
