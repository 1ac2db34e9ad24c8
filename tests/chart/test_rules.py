"""Alerts: promtool agrees, each fires and stays silent in a test, each has a runbook, each metric exists."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from inkgate.service.telemetry.metrics import Metrics
from tests.chart.conftest import ROOT
from tests.monitoring.deployment import complaints
from tools import ops_tools

pytestmark = pytest.mark.ops
FOLDER = ROOT / "deploy" / "prometheus"
RULES = yaml.safe_load((FOLDER / "inkgate.rules.yml").read_text())
TESTS = yaml.safe_load((FOLDER / "inkgate.rules.test.yml").read_text())
ALERTS: list[dict[str, Any]] = [rule for group in RULES["groups"] for rule in group["rules"] if "alert" in rule]


def promtool(*arguments: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run([str(ops_tools.promtool()), *arguments], capture_output=True, timeout=120)


def test_promtool_checks_the_rules() -> None:
    done = promtool("check", "rules", "--lint=all", "--lint-fatal", str(FOLDER / "inkgate.rules.yml"))
    assert done.returncode == 0, done.stdout + done.stderr


def test_promtool_runs_the_rule_tests() -> None:
    done = promtool("test", "rules", str(FOLDER / "inkgate.rules.test.yml"))
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("alert", [rule["alert"] for rule in ALERTS])
def test_every_alert_is_tested_firing_and_silent(alert: str) -> None:
    cases = [case for test in TESTS["tests"] for case in test["alert_rule_test"] if case["alertname"] == alert]
    assert any(case["exp_alerts"] for case in cases), "no test in which it fires"
    silent = [case for case in cases if not case["exp_alerts"]]
    beside = [case for case in cases if len(case["exp_alerts"]) == 1]  # one of several series fired, others kept still
    assert silent or beside, "no test in which it is silent"


@pytest.mark.parametrize("rule", ALERTS, ids=lambda rule: rule["alert"])
def test_every_alert_has_a_severity_and_a_runbook_that_names_it(rule: dict[str, Any]) -> None:
    assert rule["labels"]["severity"] in ("page", "ticket")
    page = ROOT / rule["annotations"]["runbook"]
    assert rule["alert"] in page.read_text()
    for heading in ("## 含义 / What it means", "## 先看 / Look at", "## 处理 / Do"):
        assert heading in page.read_text(), page.name


@pytest.mark.parametrize("rule", ALERTS, ids=lambda rule: rule["alert"])
def test_every_alert_links_to_the_site_of_its_runbook(rule: dict[str, Any]) -> None:
    page = Path(rule["annotations"]["runbook"]).stem
    assert rule["annotations"]["runbook_url"] == f"https://docs.inkgate.example/runbooks/{page}.html"


def test_every_runbook_belongs_to_an_alert() -> None:
    wanted = {Path(rule["annotations"]["runbook"]).name for rule in ALERTS}
    assert {path.name for path in (ROOT / "docs" / "runbooks").glob("*.md")} == wanted | {"index.md"}


def test_every_metric_in_the_rules_exists() -> None:
    metrics = Metrics("gateway", "1")
    known = {doc.name for doc in metrics.catalogue}
    text = (FOLDER / "inkgate.rules.yml").read_text()
    used = set(re.findall(r"\binkgate_[a-z0-9_]+", text))
    assert {re.sub(r"_(bucket|sum|count)$", "", name) for name in used} <= known


def test_promtool_accepts_our_metrics() -> None:
    metrics = Metrics("gateway", "1")
    metrics.request("general", "success", 0, 0.1)
    metrics.pack("acme", "plate", 1, 2, 3.0)
    assert complaints(metrics.render()[0]) == b""
