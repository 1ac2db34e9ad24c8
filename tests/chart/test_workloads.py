"""What the rendered objects promise, read off the objects."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable

import pytest
import yaml

from tests.chart.conftest import CHART, ROOT, VALUES, Object, Rendered, helm, render_chart

pytestmark = pytest.mark.ops
Render = Callable[..., Rendered]


def env(pod: Object) -> dict[str, Object]:
    return {item["name"]: item for item in pod["containers"][0].get("env", [])}


@pytest.mark.parametrize("values", VALUES)
def test_every_pod_meets_the_restricted_standard(values: str, render: Render) -> None:
    for name, pod in render(values).pods():
        assert pod["automountServiceAccountToken"] is False, name
        assert pod["securityContext"]["runAsNonRoot"] is True, name
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}, name
        for container in pod["containers"]:
            security = container["securityContext"]
            assert security["readOnlyRootFilesystem"] is True, name
            assert security["allowPrivilegeEscalation"] is False, name
            assert security["capabilities"] == {"drop": ["ALL"]}, name
            assert "memory" in container["resources"]["limits"], name
            assert {"cpu", "memory"} <= set(container["resources"]["requests"]), name


@pytest.mark.parametrize("values", VALUES)
def test_no_secret_is_written_into_a_plain_field(values: str, render: Render) -> None:
    for item in render(values).objects:
        if item["kind"] != "Secret":
            assert "postgresql+asyncpg://inkgate:" not in json.dumps(item)
    for name, pod in render(values).pods():
        for variable in ("INKGATE_DATABASE__URL", "INKGATE_REDIS__URL", "INKGATE_SECURITY__MASTER_KEY"):
            if variable in env(pod):
                assert "secretKeyRef" in env(pod)[variable]["valueFrom"], name


def test_the_three_probes_use_three_paths(render: Render) -> None:
    for name in ("ink-inkgate-gateway", "ink-inkgate-worker-cpu", "ink-inkgate-worker-gpu"):
        container = render("gpu-keda").one("Deployment", name)["spec"]["template"]["spec"]["containers"][0]
        asked = [container[probe]["httpGet"]["path"] for probe in ("startupProbe", "readinessProbe", "livenessProbe")]
        assert asked == ["/startupz", "/readyz", "/livez"]
        assert container["livenessProbe"]["httpGet"]["port"] == container["ports"][0]["name"]


def test_the_ca_of_the_stores_is_in_every_container_that_connects_to_them(render: Render) -> None:
    for name, pod in render("ingress-hpa").pods():
        if "INKGATE_REDIS__URL" in env(pod) or "INKGATE_DATABASE__URL" in env(pod):
            mount = next(each for each in pod["containers"][0]["volumeMounts"] if each["name"] == "stores-ca")
            assert mount["mountPath"] == "/etc/inkgate/stores" and mount["readOnly"] is True, name
            volume = next(each for each in pod["volumes"] if each["name"] == "stores-ca")
            assert volume["secret"]["items"] == [{"key": "authority.pem", "path": "ca.crt"}], name
    volumes = [each for _, pod in render("default").pods() for each in pod.get("volumes", ())]
    assert volumes and not any(each["name"] == "stores-ca" for each in volumes)


def test_a_pod_may_finish_the_longest_call(render: Render) -> None:
    for values, deadline, pause in (("default", 60, 5), ("gpu-keda", 30, 5), ("minimal", 60, 0)):
        for deployment in render(values).all("Deployment"):
            pod = deployment["spec"]["template"]["spec"]
            assert pod["terminationGracePeriodSeconds"] == deadline + 15 + pause
            assert ("lifecycle" in pod["containers"][0]) == (pause > 0)


def test_workers_get_neither_database_url_nor_master_key(render: Render) -> None:
    for values in VALUES:
        for deployment in render(values).all("Deployment"):
            if "worker" in deployment["metadata"]["name"]:
                known = env(deployment["spec"]["template"]["spec"])
                assert "INKGATE_REDIS__URL" in known
                assert not {"INKGATE_DATABASE__URL", "INKGATE_SECURITY__MASTER_KEY"} & set(known)


def test_a_gpu_worker_asks_for_its_gpu(render: Render) -> None:
    spec = render("gpu-keda").one("Deployment", "ink-inkgate-worker-gpu")["spec"]
    pod = spec["template"]["spec"]
    assert pod["containers"][0]["resources"]["limits"]["nvidia.com/gpu"] == "1"
    assert pod["runtimeClassName"] == "nvidia"
    assert pod["nodeSelector"] == {"nvidia.com/gpu.present": "true"}
    assert pod["tolerations"][0]["key"] == "nvidia.com/gpu"
    assert spec["strategy"]["rollingUpdate"] == {"maxSurge": 0, "maxUnavailable": 1}
    assert env(pod)["INKGATE_ENGINE__PROFILE"]["value"] == "accurate"
    assert env(pod)["INKGATE_WORKER__PROCESSES"]["value"] == "1"


def test_disruption_budgets_keep_a_pod(render: Render) -> None:
    rendered = render("gpu-keda")
    assert rendered.one("PodDisruptionBudget", "ink-inkgate-gateway")["spec"]["minAvailable"] == 1
    assert rendered.one("PodDisruptionBudget", "ink-inkgate-worker-cpu")["spec"]["maxUnavailable"] == "25%"
    for budget in rendered.all("PodDisruptionBudget"):
        deployment = rendered.one("Deployment", budget["metadata"]["name"])
        labels = deployment["spec"]["template"]["metadata"]["labels"]
        assert budget["spec"]["selector"]["matchLabels"].items() <= labels.items()


def test_every_service_finds_pods_and_ports(render: Render) -> None:
    for values in VALUES:
        rendered = render(values)
        pods = [item["spec"]["template"] for kind in ("Deployment", "StatefulSet") for item in rendered.all(kind)]
        for service in rendered.all("Service"):
            selector = service["spec"]["selector"]
            (pod,) = [p for p in pods if selector.items() <= p["metadata"]["labels"].items()]
            named = {port["name"] for port in pod["spec"]["containers"][0]["ports"]}
            assert {port["targetPort"] for port in service["spec"]["ports"]} <= named


def test_keda_scales_by_queue_age_and_load_and_never_to_zero(render: Render) -> None:
    scaled = render("gpu-keda").one("ScaledObject", "ink-inkgate-worker-cpu")["spec"]
    queries = [trigger["metadata"]["query"] for trigger in scaled["triggers"]]
    assert "inkgate_queue_oldest_age_seconds" in queries[0]
    assert "inkgate_queue_depth" in queries[1]
    assert "inkgate_tasks_in_flight" in queries[1]
    assert all('{namespace="ocr"}' in query for query in queries)
    assert scaled["minReplicaCount"] >= 1
    assert scaled["fallback"]["replicas"] == 21
    behaviour = scaled["advanced"]["horizontalPodAutoscalerConfig"]["behavior"]
    assert behaviour["scaleUp"]["stabilizationWindowSeconds"] == 0
    assert behaviour["scaleDown"]["stabilizationWindowSeconds"] == 300
    assert "replicas" not in render("gpu-keda").one("Deployment", "ink-inkgate-worker-cpu")["spec"]


def test_hpa_replaces_the_replica_count(render: Render) -> None:
    rendered = render("ingress-hpa")
    for name in ("ink-inkgate-gateway", "ink-inkgate-worker-cpu"):
        assert rendered.one("HorizontalPodAutoscaler", name)["spec"]["minReplicas"] >= 1
        assert "replicas" not in rendered.one("Deployment", name)["spec"]


def test_the_ingress_keeps_host_and_accepts_large_bodies(render: Render) -> None:
    gateway = render("ingress-hpa").one("Ingress", "ink-inkgate-gateway")
    notes = gateway["metadata"]["annotations"]
    assert int(notes["nginx.ingress.kubernetes.io/proxy-body-size"].removesuffix("m")) > 100
    assert notes["nginx.ingress.kubernetes.io/proxy-next-upstream"] == "off"
    assert "nginx.ingress.kubernetes.io/upstream-vhost" not in notes
    (path,) = gateway["spec"]["rules"][0]["http"]["paths"]
    assert path["path"] == "/v1", "metrics and health stay inside"
    assert "nginx.ingress.kubernetes.io/enable-access-log" not in notes
    console = render("ingress-hpa").one("Ingress", "ink-inkgate-console")
    assert console["metadata"]["annotations"]["nginx.ingress.kubernetes.io/enable-access-log"] == "false"
    assert console["spec"]["rules"][0]["host"] == "console.example.com"


def test_the_console_shares_the_gateways_host_name_by_default() -> None:
    site = ("--set", "ingress.enabled=true,ingress.host=ocr.example.com,ingress.tlsSecret=ocr-tls")
    rendered = render_chart(CHART, "--values", str(CHART / "ci" / "default-values.yaml"), *site)
    spec = rendered.one("Ingress", "ink-inkgate-console")["spec"]
    (rule,) = spec["rules"]
    assert rule["host"] == "ocr.example.com" and [path["path"] for path in rule["http"]["paths"]] == ["/console"]
    assert spec["tls"] == [{"secretName": "ocr-tls", "hosts": ["ocr.example.com"]}]
    for off in ("console.enabled=false", "ingress.console.enabled=false"):
        names = [
            each["metadata"]["name"]
            for each in render_chart(
                CHART, "--values", str(CHART / "ci" / "default-values.yaml"), *site, "--set", off
            ).all("Ingress")
        ]
        assert names == ["ink-inkgate-gateway"], off


def test_a_migration_runs_first_with_an_existing_database(render: Render) -> None:
    (job,) = render("default").all("Job")
    notes = job["metadata"]["annotations"]
    assert notes["helm.sh/hook"] == "pre-install,pre-upgrade"
    assert job["spec"]["template"]["spec"]["serviceAccountName"] == "default", "ours does not exist yet"
    (bundled,) = render("bundled").all("Job")
    assert "annotations" not in bundled["metadata"], "a hook would wait for a database that waits for the hook"
    assert bundled["metadata"]["name"].endswith("-1"), "named by revision: a job's template cannot be changed"


def test_network_policies_deny_by_default(render: Render) -> None:
    for values in VALUES:
        rendered = render(values)
        policies = {item["metadata"]["name"]: item["spec"] for item in rendered.all("NetworkPolicy")}
        if not policies:
            assert values == "minimal"
            continue
        deny = policies["ink-inkgate-deny"]
        assert set(deny) == {"podSelector", "policyTypes"}
        assert deny["policyTypes"] == ["Ingress", "Egress"]
        for item in [*rendered.all("Deployment"), *rendered.all("StatefulSet"), *rendered.all("Job")]:
            labels = item["spec"]["template"]["metadata"]["labels"]
            assert deny["podSelector"]["matchLabels"].items() <= labels.items()
            opened = [p for p in policies.values() if p is not deny]
            assert any(p["podSelector"]["matchLabels"].items() <= labels.items() for p in opened), item["metadata"]


def test_workers_reach_only_redis_and_dns(render: Render) -> None:
    policy = render("ingress-hpa").one("NetworkPolicy", "ink-inkgate-worker-cpu")["spec"]
    ports = [port["port"] for rule in policy["egress"] for port in rule["ports"]]
    assert ports == [53, 53, 6380, 4318]
    (redis,) = [rule for rule in policy["egress"] if rule["ports"][0]["port"] == 6380]
    assert redis["to"] == [{"ipBlock": {"cidr": "10.20.0.0/16"}}]
    (inside,) = policy["ingress"]
    assert inside["ports"] == [{"port": 9091, "protocol": "TCP"}]


def test_a_registry_mirror_applies_to_every_image_and_digests_take_precedence(render: Render) -> None:
    for name, pod in render("airgap").pods():
        image = pod["containers"][0]["image"]
        assert image.startswith("mirror.internal:5000/ocr/"), name
        assert "@sha256:" in image, name
        assert pod["imagePullSecrets"] == [{"name": "mirror"}], name


def test_generated_secrets_are_strong_and_the_master_key_outlives_the_release() -> None:
    values = str(CHART / "ci" / "bundled-values.yaml")
    done = [helm("template", "ink", str(CHART), "--values", values, "-s", "templates/master-key.yaml") for _ in "12"]
    assert done[0].stdout != done[1].stdout, "a new key each time, so none is baked in"
    assert "helm.sh/resource-policy: keep" in done[0].stdout


def test_the_generated_master_key_is_32_bytes_for_the_service(render: Render) -> None:
    from base64 import b64decode

    secret = render("bundled").one("Secret", "ink-inkgate-master-key")
    assert len(b64decode(b64decode(secret["data"]["master-key"]))) == 32


def test_the_service_accepts_the_environment_of_the_chart(render: Render) -> None:
    """The real settings loader reads the rendered environment of every pod of ours."""
    for values in VALUES:
        rendered = render(values)
        for deployment in rendered.all("Deployment"):
            pod = deployment["spec"]["template"]["spec"]
            if "envFrom" not in pod["containers"][0]:
                continue
            (config,) = [c["data"] for c in rendered.all("ConfigMap") if "INKGATE" in json.dumps(c)] or [{}]
            plain = {name: item["value"] for name, item in env(pod).items() if "value" in item}
            code = "from inkgate.service.settings import load; s = load(); print(s.limits.deadline, s.engine.profile)"
            done = subprocess.run(
                [sys.executable, "-c", code], env={**(config or {}), **plain}, capture_output=True, text=True
            )
            assert done.returncode == 0, done.stderr
            if values == "gpu-keda":
                wanted = "30.0 accurate" if "gpu" in deployment["metadata"]["name"] else "30.0 fast"
                assert done.stdout.strip() == wanted


def test_scraped_jobs_have_the_name_that_alerts_and_dashboards_go_by(render: Render) -> None:
    renamed = render("gpu-keda", "--set", "fullnameOverride=ocr,nameOverride=ocr")
    (monitor,) = renamed.all("ServiceMonitor")
    for endpoint in monitor["spec"]["endpoints"]:
        (rule,) = endpoint["relabelings"]
        assert (rule["targetLabel"], rule["replacement"]) == ("job", "inkgate-$1")
    assert {"http", "health"} == {endpoint["port"] for endpoint in monitor["spec"]["endpoints"]}


def test_dashboards_and_rules_are_packaged_unchanged(render: Render) -> None:
    rendered = render("gpu-keda")
    boards = [c for c in rendered.all("ConfigMap") if "grafana_dashboard" in c["metadata"]["labels"]]
    assert len(boards) == 3
    for board in boards:
        ((_, text),) = board["data"].items()
        assert json.loads(text)["panels"]
    (rule,) = rendered.all("PrometheusRule")
    shipped = yaml.safe_load((ROOT / "deploy" / "prometheus" / "inkgate.rules.yml").read_text(encoding="utf-8"))
    assert [each["name"] for each in rule["spec"]["groups"]] == [each["name"] for each in shipped["groups"]]


def test_runbook_links_begin_with_the_configured_site(render: Render) -> None:
    rendered = render("gpu-keda", "--set", "monitoring.rules.runbookBase=https://docs.internal/inkgate")
    (rule,) = rendered.all("PrometheusRule")
    alerts = [each for group in rule["spec"]["groups"] for each in group["rules"] if "alert" in each]
    assert alerts
    for alert in alerts:
        assert alert["annotations"]["runbook_url"].startswith("https://docs.internal/inkgate/runbooks/")
