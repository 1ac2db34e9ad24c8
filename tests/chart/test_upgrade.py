"""An upgrade changes nothing that Kubernetes does not let change.

released/VERSION.json holds what each released chart made of every ci file in fields that are fixed for the life of an
object. A new chart must make the same. `python -m tests.chart.test_upgrade` writes the file of the current version.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.chart.conftest import CHART, VALUES, Rendered, render_chart

pytestmark = pytest.mark.ops
RELEASED = Path(__file__).parent / "released"


def fixed_fields(rendered: Rendered) -> dict[str, Any]:
    """The immutable fields of every object that stays from one revision to the next."""
    found: dict[str, Any] = {}
    for item in rendered.objects:
        name, spec = f"{item['kind']}/{item['metadata']['name']}", item.get("spec", {})
        match item["kind"]:
            case "Deployment":
                found[name] = {"selector": spec["selector"]}
            case "StatefulSet":
                fixed = ("selector", "serviceName", "volumeClaimTemplates", "podManagementPolicy")
                found[name] = {key: spec.get(key) for key in fixed}
            case "Service":
                found[name] = {"clusterIP": spec.get("clusterIP")}
            case "Secret":
                found[name] = {"type": item.get("type")}
    return found


def current(chart: Path = CHART) -> dict[str, Any]:
    return {
        values: fixed_fields(render_chart(chart, "--values", str(CHART / "ci" / f"{values}-values.yaml")))
        for values in VALUES
    }


@pytest.mark.parametrize("release", sorted(RELEASED.glob("*.json")), ids=lambda path: path.stem)
def test_no_immutable_field_changed_since(release: Path) -> None:
    now = current()
    for values, objects in json.loads(release.read_text()).items():
        for name, fields in objects.items():
            if name in now[values]:
                assert now[values][name] == fields, f"{values}: {name}"


def test_the_next_version_upgrades_in_place(tmp_path: Path) -> None:
    following = tmp_path / "inkgate"
    shutil.copytree(CHART, following)
    chart = yaml.safe_load((following / "Chart.yaml").read_text())
    (following / "Chart.yaml").write_text(yaml.safe_dump({**chart, "version": "9.9.9", "appVersion": "9.9.9"}))
    assert current(following) == current()


def test_a_change_of_an_immutable_field_is_found(tmp_path: Path) -> None:
    broken = tmp_path / "inkgate"
    shutil.copytree(CHART, broken)
    helpers = broken / "templates" / "_helpers.tpl"
    helpers.write_text(helpers.read_text().replace("app.kubernetes.io/component: {{ .part }}", "part: {{ .part }}"))
    assert current(broken) != current()


def test_a_changed_setting_restarts_the_pods() -> None:
    values = str(CHART / "ci" / "default-values.yaml")
    sums = [
        render_chart(CHART, "--values", values, "--set", f"config.limits.deadline={seconds}").one(
            "Deployment", "ink-inkgate-gateway"
        )["spec"]["template"]["metadata"]["annotations"]["checksum/config"]
        for seconds in (20, 30)
    ]
    assert sums[0] != sums[1]


if __name__ == "__main__":
    version = yaml.safe_load((CHART / "Chart.yaml").read_text())["version"]
    (RELEASED / f"{version}.json").write_text(json.dumps(current(), indent=1, sort_keys=True) + "\n")
