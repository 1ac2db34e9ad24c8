"""Metrics: the exported values after calls of the typed methods."""

from __future__ import annotations

import json
import re

import pytest
from prometheus_client.parser import text_string_to_metric_families

from inkgate.service.broker.interface import QueueState
from inkgate.service.contract.capabilities import CAPABILITIES
from inkgate.service.telemetry.merge import snapshot_from
from inkgate.service.telemetry.metrics import OTHER, Metrics


def page(metrics: Metrics) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    text = metrics.render()[0].decode()
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def value(metrics: Metrics, name: str, **labels: str) -> float:
    return page(metrics)[(name, tuple(sorted(labels.items())))]


@pytest.fixture
def metrics() -> Metrics:
    return Metrics("gateway", "1.2.3", capabilities=CAPABILITIES, inflight_limit_bytes=1000)


def test_a_request_is_counted_and_timed(metrics: Metrics) -> None:
    metrics.request("general", "success", 0, 0.2)
    metrics.request("general", "success", 0, 0.4)
    metrics.stage("general", "infer", 0.1)
    assert value(metrics, "inkgate_requests_total", capability="general", outcome="success", code="0") == 2
    total = {"capability": "general", "stage": "total"}
    assert value(metrics, "inkgate_request_duration_seconds_sum", **total) == pytest.approx(0.6)
    assert value(metrics, "inkgate_request_duration_seconds_count", capability="general", stage="infer") == 1


def test_labels_a_client_could_choose_are_bounded(metrics: Metrics) -> None:
    metrics.request("/etc/passwd", "refused", 50001, 0.01)
    for number in range(500):
        metrics.request("plate", "refused", number, 0.01)
    counted = {labels for name, labels in page(metrics) if name == "inkgate_requests_total"}
    assert len(counted) <= 130
    assert value(metrics, "inkgate_requests_total", capability="none", outcome="refused", code="50001") == 1
    assert value(metrics, "inkgate_requests_total", capability="plate", outcome="refused", code=OTHER) > 300


def test_without_names_of_capabilities_a_bounded_number_is_taken() -> None:
    metrics = Metrics("gateway", "1.2.3")
    for number in range(100):
        metrics.replayed(f"added{number}")
    assert value(metrics, "inkgate_replayed_answers_total", capability="added63") == 1
    assert value(metrics, "inkgate_replayed_answers_total", capability=OTHER) == 36


def test_queue_and_budget_gauges_follow_the_last_reading(metrics: Metrics) -> None:
    metrics.queue(QueueState(depth=7, in_flight=2, oldest_age=1.5, workers=3))
    metrics.inflight(300)
    assert value(metrics, "inkgate_queue_depth") == 7
    assert value(metrics, "inkgate_queue_oldest_age_seconds") == 1.5
    assert value(metrics, "inkgate_tasks_in_flight") == 2
    assert value(metrics, "inkgate_workers_live") == 3
    assert value(metrics, "inkgate_inflight_bytes") == 300
    assert value(metrics, "inkgate_inflight_limit_bytes") == 1000


def test_the_page_shows_no_creation_times(metrics: Metrics) -> None:
    metrics.request("general", "success", 0, 0.2)
    assert b"_created" not in metrics.render()[0]
    body, kind = metrics.render("application/openmetrics-text; version=1.0.0")
    assert kind.startswith("application/openmetrics-text")
    assert body.endswith(b"# EOF\n")


def test_two_registries_in_one_process_are_independent() -> None:
    first, second = Metrics("gateway", "1"), Metrics("worker", "1")
    first.poison()
    assert value(second, "inkgate_poison_images_total") == 0


def test_the_catalogue_names_every_family_in_base_units(metrics: Metrics) -> None:
    shown = {family.name for family in metrics.registry.collect() if family.name.startswith("inkgate_")}
    assert {doc.name.removesuffix("_total") for doc in metrics.catalogue} == shown
    for doc in metrics.catalogue:
        assert doc.help.endswith(".")
        assert not re.search(r"_(ms|millis|kb|mb|mib|percent)(_|$)", doc.name)
        assert (doc.kind == "counter") == doc.name.endswith("_total")
        assert not {"call_id", "request_id", "app", "ak"} & set(doc.labels)


def test_children_are_merged_into_their_parents_metrics(metrics: Metrics) -> None:
    for pid, seconds in (("11", 0.2), ("12", 0.3)):
        child = Metrics("worker", "1.2.3")
        child.inference("onnx", "small", "cpu", seconds)
        child.worker_memory(int(pid), 100)
        child.inflight(50)
        metrics.children.update(pid, child.snapshot())
    metrics.inference("onnx", "small", "cpu", 0.5)
    labels = {"engine": "onnx", "model": "small", "device": "cpu"}
    assert value(metrics, "inkgate_inference_duration_seconds_count", **labels) == 3
    assert value(metrics, "inkgate_inference_duration_seconds_sum", **labels) == pytest.approx(1.0)
    assert value(metrics, "inkgate_worker_resident_bytes", process="11") == 100
    assert value(metrics, "inkgate_inflight_bytes") == 100


def test_counts_of_a_child_outlive_it_and_its_gauges_do_not(metrics: Metrics) -> None:
    labels = {"engine": "onnx", "model": "small", "device": "cpu"}
    child = Metrics("worker", "1.2.3")
    child.inference("onnx", "small", "cpu", 0.2)
    child.worker_memory(0, 100)
    metrics.children.update("11", child.snapshot())
    metrics.children.remove_child("11")
    metrics.children.remove_child("11")
    successor = Metrics("worker", "1.2.3")
    successor.inference("onnx", "small", "cpu", 0.4)
    metrics.children.update("13", successor.snapshot())
    assert value(metrics, "inkgate_inference_duration_seconds_count", **labels) == 2
    assert ("inkgate_worker_resident_bytes", (("process", "0"),)) not in page(metrics)


def test_a_dependency_down_in_one_child_is_down(metrics: Metrics) -> None:
    for pid, up in (("11", True), ("12", False)):
        child = Metrics("gateway", "1.2.3")
        child.dependency("database", up)
        metrics.children.update(pid, child.snapshot())
    metrics.dependency("database", True)
    assert value(metrics, "inkgate_dependency_up", dependency="database") == 0


def test_clock_refusals_are_exported_from_zero(metrics: Metrics) -> None:
    for reason in ("database", "own", "meter"):
        assert value(metrics, "inkgate_clock_refusals_total", reason=reason) == 0
    metrics.clock_refused("meter")
    assert value(metrics, "inkgate_clock_refusals_total", reason="meter") == 1


def test_a_background_task_is_exported_from_zero_and_up_only_if_up_in_every_process(metrics: Metrics) -> None:
    metrics.background_up("listener", True)
    assert value(metrics, "inkgate_background_task_restarts_total", task="listener") == 0
    child = Metrics("gateway", "1.2.3")
    child.background_up("listener", False)
    child.background_restarted("listener")
    metrics.children.update("7", child.snapshot())
    assert value(metrics, "inkgate_background_task_up", task="listener") == 0
    assert value(metrics, "inkgate_background_task_restarts_total", task="listener") == 1


@pytest.mark.parametrize(
    "odd",
    [
        None,
        7,
        "text",
        {},
        [7],
        [["inkgate_requests", "counter"]],
        [["inkgate_requests", "counter", 7]],
        [[7, "counter", []]],
        [["inkgate_requests", "counter", [7, ["x"], ["x", {"label": 7}, 1.0], ["x", {}, None], ["x", {}, "1"]]]],
    ],
)
def test_a_malformed_snapshot_does_not_fail_the_scrape(metrics: Metrics, odd: object) -> None:
    child = Metrics("gateway", "1.2.3", capabilities=CAPABILITIES)
    child.request("general", "success", 0, 0.1)
    sound = json.loads(json.dumps(child.snapshot()))
    metrics.children.update("7", snapshot_from(odd))
    metrics.children.update("8", snapshot_from([*sound, *(odd if isinstance(odd, list) else [])]))
    assert value(metrics, "inkgate_requests_total", capability="general", outcome="success", code="0") == 1
    metrics.children.remove_child("7")
    metrics.children.remove_child("8")
    assert value(metrics, "inkgate_requests_total", capability="general", outcome="success", code="0") == 1


def test_an_unknown_family_is_ignored(metrics: Metrics) -> None:
    tomorrow = ["inkgate_tomorrow", "gauge", [["inkgate_tomorrow", {}, 1.0, "more"]], 7]
    metrics.children.update("7", snapshot_from([tomorrow]))
    assert b"tomorrow" not in metrics.render()[0]
