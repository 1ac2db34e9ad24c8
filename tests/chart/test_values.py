"""values.yaml, its schema and its README are one thing; what the chart does not know it refuses."""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml

from inkgate.service.settings import Settings
from tests.chart.conftest import CHART, helm
from tools import chart_docs

pytestmark = pytest.mark.ops
BASE = (
    "--set",
    "database.existingSecret=d",
    "--set",
    "redis.existingSecret=r",
    "--set",
    "masterKey.existingSecret=m",
)


def test_schema_and_readme_are_current() -> None:
    text = (CHART / "values.yaml").read_text()
    schema = chart_docs.build_schema(text)
    assert (CHART / "values.schema.json").read_text() == schema, "run python -m tools.chart_docs"
    secrets = (CHART / "files" / "secrets.json").read_text()
    assert secrets == chart_docs.build_secrets(), "run python -m tools.chart_docs"
    assert (CHART / "README.md").read_text() == chart_docs.build_readme(text, schema), "run python -m tools.chart_docs"


def leaves(schema: dict[str, Any], path: str = "") -> list[tuple[str, dict[str, Any]]]:
    found = []
    for name, part in schema.get("properties", {}).items():
        found.append((f"{path}{name}", part))
        found += leaves(part, f"{path}{name}.")
    return found


def test_every_value_is_described_and_every_object_of_ours_is_closed() -> None:
    schema = json.loads((CHART / "values.schema.json").read_text())
    for name, part in leaves(schema):
        if "properties" in part:
            assert part["additionalProperties"] is False, name
        else:
            assert len(part["description"]) > 3, name


def test_config_takes_exactly_the_settings_of_the_service() -> None:
    config = json.loads((CHART / "values.schema.json").read_text())["properties"]["config"]["properties"]
    for group, field in Settings.model_fields.items():
        hidden = chart_docs.NOT_IN_CONFIG.get(group, set())
        assert field.annotation is not None
        assert set(config[group]["properties"]) == set(field.annotation.model_fields) - hidden


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ("gatway.replicas=2", "gatway"),
        ("gateway.replica=2", "replica"),
        ("config.limits.deadlin=3", "deadlin"),
        ("config.engine.profile=fastest", "profile"),
        ("config.security.sm2=gmssl", "sm2"),
        ("config.server.port=80", "port"),
        ("gateway.replicas=two", "replicas"),
        ("workers.cpu.autoscaling.minReplicas=0", "minReplicas"),
        ("workers.tpu.enabled=true", "tpu"),
        ("image.digest=latest", "digest"),
        ("podSecurityContext.runAsUser=0", "runAsUser"),
        ("workers.cpu.autoscaling.mode=keda", "monitoring.prometheusAddress"),
    ],
)
def test_invalid_values_are_refused_by_name(wrong: str, named: str) -> None:
    done = helm("template", "ink", str(CHART), *BASE, "--set", wrong)
    assert done.returncode != 0
    assert named in done.stderr


@pytest.mark.parametrize(("given", "named"), [(BASE[:2], "redis"), (BASE[2:], "database")])
def test_without_a_store_the_error_names_the_remedy(given: tuple[str, str], named: str) -> None:
    done = helm("template", "ink", str(CHART), *given)
    assert done.returncode != 0
    assert f"{named}.existingSecret: name the secret" in done.stderr


def test_chart_and_service_have_one_version() -> None:
    from inkgate.service import __version__

    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    assert (chart["version"], chart["appVersion"]) == (__version__, __version__)
