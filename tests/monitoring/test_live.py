"""A real Prometheus watches a loaded deployment: dashboards find their data, planted faults fire and clear."""

from __future__ import annotations

import json
import re
import signal
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import redis

from inkgate.service.broker.streams.keys import Keys
from inkgate.service.samples import sample
from inkgate.service.telemetry.metrics import Metrics
from tests.keys import MASTER_KEY
from tests.monitoring.deployment import Deployment, complaints, wait_for
from tests.monitoring.notes import Operator, steps
from tests.postgres import Postgres

pytestmark = [pytest.mark.ops, pytest.mark.timeout(600)]
BOARDS = sorted((Path(__file__).resolve().parents[2] / "deploy" / "grafana").glob("*.json"))

# Series that a healthy deployment does not have: they appear with their first event.
ONLY_AFTER_A_FAULT = {
    "inkgate_settle_failures_total",
    "inkgate_replayed_answers_total",
    "inkgate_worker_recycles_total",
}


@pytest.fixture(scope="module")
def database(postgres: Postgres) -> str:
    from inkgate.service.db import migrate

    url = postgres.empty()
    migrate.upgrade(url)
    return url


@pytest.fixture(scope="module")
def deployment(database: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    made = Deployment(tmp_path_factory.mktemp("prometheus"), database)
    try:
        made.ready()
        for _ in range(3):
            made.call_everything()
        wait_for(lambda: (made.value("sum(inkgate_units_settled_total)") or 0) >= 9, 15, "what was settled is scraped")
        yield made
    finally:
        made.end()


def queries() -> list[tuple[str, str, str]]:
    found = []
    for board in BOARDS:
        for panel in json.loads(board.read_text())["panels"]:
            for target in panel.get("targets", []):
                found.append((board.stem, panel["title"], target["expr"]))
    return found


def test_every_dashboard_query_finds_data(deployment: Deployment) -> None:
    def empty() -> list[str]:
        """Queries without data, but for those that count faults which never happened here."""
        found = []
        for board, title, expression in queries():
            asked = expression.replace("$__rate_interval", "1m")
            faults = ONLY_AFTER_A_FAULT & set(re.findall(r"inkgate_\w+", asked))
            if not faults and not deployment.prometheus.query(asked):
                found.append(f"{board} / {title}: {expression}")
        return found

    with deployment.traffic():
        try:
            wait_for(lambda: not empty(), 20, "every query finds data")  # a rate needs two scrapes of a growing series
        except AssertionError:
            pytest.fail("\n".join(empty()))


def test_every_label_in_the_dashboards_is_a_label_of_its_metric(deployment: Deployment) -> None:
    labels = {doc.name: {*doc.labels, "le", "instance", "job"} for doc in Metrics("gateway", "1").catalogue}
    for board, title, expression in queries():
        names = {re.sub(r"_(bucket|sum|count)$", "", name) for name in re.findall(r"\binkgate_\w+", expression)}
        grouped = {label.strip() for group in re.findall(r"by \(([^)]*)\)", expression) for label in group.split(",")}
        selected = set(re.findall(r"[{,](\w+)[=!]", expression))
        for name in names:
            assert grouped | selected <= labels[name], f"{board} / {title}: {name}"


def test_metrics_of_the_reference_are_all_scraped(deployment: Deployment) -> None:
    scraped = set(deployment.prometheus.get("label/__name__/values"))
    missing = {doc.name for doc in Metrics("gateway", "1").catalogue if not {doc.name, f"{doc.name}_count"} & scraped}
    certificates = {"inkgate_certificate_expiry_timestamp_seconds"}  # none is configured here
    takeover = {name for name in missing if name.startswith("inkgate_takeover_")}  # no cloud is configured here
    notices = {"inkgate_notices_total"}  # no channel is configured here
    assert missing <= ONLY_AFTER_A_FAULT | certificates | takeover | notices


def test_promtool_finds_nothing_to_say_about_a_live_gateway_and_its_workers(deployment: Deployment) -> None:
    for port in (deployment.port, deployment.workers.port):
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
            assert complaints(answer.read()) == b""


def test_nothing_fires_while_all_is_well(deployment: Deployment) -> None:
    with deployment.traffic():
        wait_for(lambda: (deployment.value("sum(increase(inkgate_requests_total[10s]))") or 0) > 5, 20, "traffic flows")
        assert deployment.prometheus.firing() == set()


def test_drift_is_reported_and_its_correction_too(deployment: Deployment, postgres: Postgres, database: str) -> None:
    name = urlsplit(database).path.strip("/")
    change = "UPDATE pack SET used = used {} 1 WHERE id = (SELECT id FROM pack WHERE used > 0 ORDER BY id LIMIT 1)"
    postgres.execute(change.format("+"), name)
    try:
        fires(deployment, "InkGateMeteringDrift")
    finally:
        postgres.execute(change.format("-"), name)
    clear(deployment, "InkGateMeteringDrift")


def test_a_malformed_message_fires_and_clears(deployment: Deployment) -> None:
    with redis.Redis.from_url(deployment.valkey.url, protocol=2) as server:
        server.xadd(Keys("inkgate", "balanced").stream("general"), {"call": "x", "n": "0", "ttl": "soon"})
    fires(deployment, "InkGateMalformedMessages")
    clear(deployment, "InkGateMalformedMessages")


def test_the_charts_notes_lead_to_a_first_call(deployment: Deployment, tmp_path: Path) -> None:
    operator = Operator(
        tmp_path,
        sample("general"),
        DATABASE__URL=deployment.database_url,
        SECURITY__MASTER_KEY=MASTER_KEY,
    )
    wait, provide, call, console = steps()
    operator.paste(wait)
    keys = dict(re.findall(r"(?m)^(AK|SK|APPKEY)=(\S+)$", operator.paste(provide)))
    answer = json.loads(operator.paste(call, BASE_URL=f"http://127.0.0.1:{deployment.port}", **keys))
    assert (answer["statusCode"], answer["message"]["success"]) == (0, 1)
    assert "LOGIN=admin\nPASSWORD=" in operator.paste(console)


def fires(deployment: Deployment, *alerts: str) -> None:
    """Wait until all of them fire, each at some time."""
    missing = set(alerts)

    def all_seen() -> bool:
        missing.difference_update(deployment.prometheus.firing())
        return not missing

    try:
        wait_for(all_seen, 60, "")
    except AssertionError:
        pytest.fail(f"silent: {', '.join(sorted(missing))}")


def clear(deployment: Deployment, *alerts: str) -> None:
    wait_for(lambda: not deployment.prometheus.firing() & set(alerts), 60, f"clear again: {', '.join(alerts)}")


STALLED = ("InkGateQueueOld", "InkGateErrorBudgetBurnsFast", "InkGateErrorBudgetBurns")
KILLED = ("InkGateRecycleStorm", "InkGatePoisonImages", "InkGateAppHeldOff")
GONE = ("InkGateNoLiveWorker", "InkGateTargetDown")


def test_a_stalled_queue_fires_and_clears(deployment: Deployment) -> None:
    """Calls wait, then miss their deadline: the queue's age first, then the error budget."""
    with deployment.traffic():
        deployment.signal_workers(signal.SIGSTOP)
        try:
            fires(deployment, *STALLED)
        finally:
            deployment.signal_workers(signal.SIGCONT)
        clear(deployment, *STALLED)


def test_images_that_kill_their_workers_fire_and_clear(deployment: Deployment) -> None:
    """Each takes down a worker, then a process of its own."""
    with deployment.traffic(sample("general") + b"inkgate-stub:crash"):
        fires(deployment, *KILLED)
    clear(deployment, *KILLED)
    wait_for(lambda: deployment.value("max(inkgate_workers_live)") == 2, 60, "both workers are back")


def test_losing_every_worker_fires_and_their_return_clears_it(deployment: Deployment) -> None:
    lost = deployment.workers
    lost.end()
    fires(deployment, *GONE)
    deployment.workers = deployment.new_workers(lost.port)
    clear(deployment, *GONE)


def test_losing_redis_fires_and_clears(deployment: Deployment) -> None:
    deployment.valkey.kill()
    fires(deployment, "InkGateDependencyDown")
    deployment.valkey.start()
    clear(deployment, "InkGateDependencyDown")
    wait_for(lambda: deployment.value("max(inkgate_workers_live)") == 2, 60, "the workers are back without a restart")
