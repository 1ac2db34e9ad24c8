"""Where secrets may be given, where they end up, and that a generated one is never made a second time."""

from __future__ import annotations

import json
from base64 import b64decode
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from inkgate.service.settings import secret_settings
from tests.chart.cluster import cluster
from tests.chart.conftest import CHART, VALUES, Object, Rendered, helm, render_chart
from tests.chart.test_workloads import env

pytestmark = pytest.mark.ops
Render = Callable[..., Rendered]
SECRETS = {f"{each.group}.{each.name}": each for each in secret_settings()}
PLANTED = "planted-0123456789"


def values(name: str) -> tuple[str, str]:
    return "--values", str(CHART / "ci" / f"{name}-values.yaml")


def refusal(*arguments: str) -> str:
    """helm's one line for values that the chart refuses."""
    done = helm("template", "ink", str(CHART), "--namespace", "ocr", *arguments)
    assert done.returncode != 0, "rendered"
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("Error:")]
    assert PLANTED not in done.stderr + done.stdout
    return line


def part(name: str) -> str:
    """What part of the service a pod of this name is."""
    return next(each for each in ("gateway", "worker", "console", "migrate") if f"-{each}" in name)


@pytest.mark.parametrize("setting", SECRETS)
@pytest.mark.parametrize("place", ["config", "workers.cpu.config", "workers.gpu.config"])
def test_a_secret_among_plain_settings_is_refused(place: str, setting: str) -> None:
    line = refusal(*values("default"), "--set-string", f"{place}.{setting}={PLANTED}")
    group, name = setting.split(".")
    own = {"database": "database", "redis": "redis", "security": "masterKey"}.get(group, f"secrets.{group}.{name}")
    assert f"{place}.{setting}: this setting is a secret" in line
    assert f"{own}.existingSecret" in line


@pytest.mark.parametrize("setting", SECRETS)
def test_a_secret_as_a_plain_variable_is_refused(setting: str) -> None:
    variable = SECRETS[setting].variable
    for given in (variable, variable.lower()):
        more = ("--set-string", f"extraEnv[0].name={given},extraEnv[0].value={PLANTED}")
        assert f"extraEnv {given}: this setting is a secret" in refusal(*values("default"), *more)


def test_a_whole_group_as_a_plain_variable_is_refused_with_a_secret_in_it(tmp_path: Path) -> None:
    given = tmp_path / "values.yaml"
    for body, refused in (({"client_id": "x"}, False), ({"client_secret": PLANTED}, True)):
        extra = {"extraEnv": [{"name": "INKGATE_OIDC", "value": json.dumps(body)}]}
        given.write_text(yaml.safe_dump(extra))
        if refused:
            line = refusal(*values("default"), "--values", str(given))
            assert "extraEnv INKGATE_OIDC: this setting is a secret" in line
        else:
            render_chart(CHART, *values("default"), "--values", str(given))


@pytest.mark.parametrize(
    "url", [f"http://ink:{PLANTED}@collector:4318/v1/traces", f"http://collector/v1/traces?Password={PLANTED}"]
)
def test_a_password_in_any_url_is_refused(url: str) -> None:
    line = refusal(*values("default"), "--set", f"config.telemetry.traces_endpoint={url}")
    assert "config.telemetry.traces_endpoint: this URL holds a password" in line
    more = ("--set", f"extraEnv[0].name=INKGATE_TELEMETRY__TRACES_ENDPOINT,extraEnv[0].value={url}")
    assert "this URL holds a password" in refusal(*values("default"), *more)


def test_a_url_without_a_password_is_not_refused() -> None:
    url = "http://collector:4318/v1/traces?a=b@c"
    render_chart(CHART, *values("default"), "--set", f"config.telemetry.traces_endpoint={url}")


@pytest.mark.parametrize("named", VALUES)
def test_a_pod_gets_the_secrets_it_needs_by_reference_and_no_other(named: str, render: Render) -> None:
    for name, pod in render(named).pods():
        known = env(pod)
        if not any(key.startswith("INKGATE_") for key in known):
            continue
        for each in SECRETS.values():
            if each.variable in known:
                assert part(name) in each.parts, f"{name} has {each.variable}"
                assert "secretKeyRef" in known[each.variable]["valueFrom"], name
            elif each.group in ("database", "redis", "security"):
                assert part(name) not in each.parts, f"{name} lacks {each.variable}"


def test_the_consoles_secrets_come_from_the_named_secret(render: Render) -> None:
    pod = render("ingress-hpa").one("Deployment", "ink-inkgate-console")["spec"]["template"]["spec"]
    for variable, key in (("CONSOLE__WALL_KEY", "wall-key"), ("OIDC__CLIENT_SECRET", "client_secret")):
        reference = env(pod)[f"INKGATE_{variable}"]["valueFrom"]["secretKeyRef"]
        assert reference == {"name": "ink-console", "key": key}


def test_a_secret_in_extra_env_reaches_only_the_parts_that_need_it(tmp_path: Path) -> None:
    given, reference = tmp_path / "values.yaml", {"secretKeyRef": {"name": "mine", "key": "k"}}
    extra = [
        {"name": "INKGATE_OIDC__CLIENT_SECRET", "valueFrom": reference},
        {"name": "HTTPS_PROXY", "value": "http://p:3128"},
    ]
    given.write_text(yaml.safe_dump({"extraEnv": extra}))
    pods = [
        (name, env(pod))
        for name, pod in render_chart(CHART, *values("default"), "--values", str(given)).pods()
        if any(key.startswith("INKGATE_") for key in env(pod))
    ]
    assert {part(name) for name, _ in pods} == {"gateway", "worker", "console", "migrate"}
    for name, known in pods:
        assert "HTTPS_PROXY" in known, name
        assert ("INKGATE_OIDC__CLIENT_SECRET" in known) == (part(name) == "console"), name


# Generated secrets.

BUNDLED = (*values("bundled"),)
UNASKED = (*BUNDLED, "--set", "generateSecrets=false")
OWN = (
    "--set",
    "masterKey.existingSecret=m",
    "--set",
    "bundled.postgres.existingSecret=p",
    "--set",
    "bundled.redis.existingSecret=r",
)
MASTER, POSTGRES, REDIS = "ink-inkgate-master-key", "ink-inkgate-postgres", "ink-inkgate-redis"
KEY = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
HELD = {
    "ink_inkgate_master_key": {"master-key": KEY},
    "ink_inkgate_postgres": {"password": "pg-pass"},
    "ink_inkgate_redis": {"password": "rd-pass"},
}


def held(rendered: Rendered) -> dict[str, dict[str, str]]:
    return {
        item["metadata"]["name"]: {key: b64decode(value).decode() for key, value in item["data"].items()}
        for item in rendered.all("Secret")
    }


@pytest.mark.parametrize(
    ("given", "wanted"),
    [(0, "masterKey"), (2, "bundled.postgres"), (4, "bundled.redis")],
)
def test_no_secret_is_generated_by_default(given: int, wanted: str) -> None:
    others = OWN[:given] + OWN[given + 2 :]
    line = refusal(*UNASKED, *others)
    assert f"{wanted}.existingSecret: name the secret that holds" in line
    assert "generateSecrets=true" in line


def test_named_secrets_render_the_same_every_time() -> None:
    """What Argo CD and `helm template` need: no lookup, and nothing made."""
    twice = [helm("template", "ink", str(CHART), "--namespace", "ocr", *UNASKED, *OWN) for _ in "12"]
    assert twice[0].returncode == 0, twice[0].stderr
    assert twice[0].stdout == twice[1].stdout
    rendered = render_chart(CHART, *UNASKED, *OWN)
    assert not rendered.all("Secret")
    postgres = dict(rendered.pods())[POSTGRES]
    assert env(postgres)["POSTGRES_PASSWORD"]["valueFrom"]["secretKeyRef"] == {"name": "p", "key": "password"}
    gateway: Object = env(dict(rendered.pods())["ink-inkgate-gateway"])
    for variable, reference in (
        ("DATABASE__URL", {"name": "p", "key": "url"}),
        ("REDIS__URL", {"name": "r", "key": "url"}),
        ("SECURITY__MASTER_KEY", {"name": "m", "key": "master-key"}),
    ):
        assert gateway[f"INKGATE_{variable}"]["valueFrom"]["secretKeyRef"] == reference


@pytest.mark.parametrize("step", [("--is-upgrade",), ()], ids=["upgrade", "install after uninstall"])
@pytest.mark.parametrize("chosen", [BUNDLED, UNASKED], ids=["asked", "unasked"])
def test_secrets_in_the_cluster_are_kept(chosen: tuple[str, ...], step: tuple[str, ...], tmp_path: Path) -> None:
    """Also in an upgrade from a release without generateSecrets."""
    with cluster(tmp_path, **HELD) as there:
        kept = held(render_chart(CHART, *chosen, *step, *there))
    assert kept[MASTER] == {"master-key": KEY}
    assert kept[POSTGRES] == {
        "password": "pg-pass",
        "url": "postgresql+asyncpg://inkgate:pg-pass@ink-inkgate-postgres:5432/inkgate",
    }
    assert kept[REDIS]["password"] == "rd-pass"


def test_an_upgrade_without_access_to_its_key_generates_no_new_one(tmp_path: Path) -> None:
    blind = refusal(*BUNDLED, "--is-upgrade")
    assert f"masterKey.existingSecret: the release is there, but its secret {MASTER} cannot be seen" in blind
    with cluster(tmp_path, **{name: data for name, data in HELD.items() if "master" not in name}) as there:
        assert refusal(*BUNDLED, "--is-upgrade", *there) == blind


def test_a_secret_without_its_key_is_not_overwritten(tmp_path: Path) -> None:
    with cluster(tmp_path, **HELD) as there:
        line = refusal(*BUNDLED, "--set", "masterKey.key=other", *there)
    assert "the secret ink-inkgate-master-key is there but has no other in it" in line


def test_generated_secrets_are_kept_when_the_release_is_removed() -> None:
    for secret in render_chart(CHART, *BUNDLED).all("Secret"):
        assert secret["metadata"]["annotations"]["helm.sh/resource-policy"] == "keep", secret["metadata"]["name"]


def test_values_of_a_chart_that_did_not_know_these_names_still_render() -> None:
    """`helm upgrade --reuse-values` brings none of the new chart's defaults."""
    names = ("secrets", "generateSecrets", "networkPolicy.identityProvider", "networkPolicy.takeover")
    gone = ",".join(f"{name}=null" for name in (*names, "bundled.redis.existingSecret"))
    render_chart(CHART, *values("default"), "--set", gone)


# The console's way to its identity provider.

OIDC = ("--set", "config.oidc.issuer=https://login.example.com")
PEER = "networkPolicy.identityProvider.peers[0].ipBlock.cidr=203.0.113.10/32"


def ways_out(rendered: Rendered, name: str) -> list[Object]:
    found: list[Object] = rendered.one("NetworkPolicy", f"ink-inkgate-{name}")["spec"]["egress"]
    return found


def test_single_sign_on_requires_an_egress_rule() -> None:
    line = refusal(*values("default"), *OIDC)
    assert "networkPolicy.identityProvider.peers: config.oidc.issuer is set" in line
    more = ("--set", "extraEnv[0].name=INKGATE_OIDC__ISSUER,extraEnv[0].value=https://x")
    assert "networkPolicy.identityProvider.peers" in refusal(*values("default"), *more)
    render_chart(CHART, *values("default"), *OIDC, "--set", "networkPolicy.enabled=false")
    render_chart(CHART, *values("default"), *OIDC, "--set", "console.enabled=false")


@pytest.mark.parametrize(
    ("issuer", "more", "ports"),
    [
        ("https://login.example.com", (), [443]),
        ("https://login.example.com:8443/realms/a", (), [8443]),
        ("https://[2001:db8::1]/x", (), [443]),
        ("http://dex.auth:5556/dex", ("--set", "networkPolicy.identityProvider.ports={5556,443}"), [5556, 443]),
    ],
)
def test_the_console_alone_reaches_its_identity_provider(issuer: str, more: tuple[str, ...], ports: list[int]) -> None:
    given = ("--set", f"config.oidc.issuer={issuer}", "--set", PEER, *more)
    rendered = render_chart(CHART, *values("default"), *OIDC, *given)
    wanted = {
        "ports": [{"port": port, "protocol": "TCP"} for port in ports],
        "to": [{"ipBlock": {"cidr": "203.0.113.10/32"}}],
    }
    assert wanted in ways_out(rendered, "console")
    for name in ("gateway", "worker-cpu", "migrate"):
        assert "203.0.113.10" not in json.dumps(ways_out(rendered, name)), name


def test_without_single_sign_on_egress_stays_closed() -> None:
    rendered = render_chart(CHART, *values("default"), "--set", PEER)
    assert "203.0.113.10" not in json.dumps(ways_out(rendered, "console"))


# The gateways' way to the public endpoint during a takeover.

TAKEOVER = ("--set", "config.takeover.url=https://cloud.example.com")
CLOUD = "networkPolicy.takeover.peers[0].ipBlock.cidr=203.0.113.20/32"


def test_a_takeover_requires_an_egress_rule() -> None:
    line = refusal(*values("default"), *TAKEOVER)
    assert "networkPolicy.takeover.peers: config.takeover.url is set" in line
    more = ("--set", "extraEnv[0].name=INKGATE_TAKEOVER__URL,extraEnv[0].value=https://x")
    assert "networkPolicy.takeover.peers" in refusal(*values("default"), *more)
    render_chart(CHART, *values("default"), *TAKEOVER, "--set", "networkPolicy.enabled=false")


@pytest.mark.parametrize(("more", "ports"), [((), [443]), (("--set", "networkPolicy.takeover.ports={3128}"), [3128])])
def test_the_gateways_alone_reach_the_public_endpoint(more: tuple[str, ...], ports: list[int]) -> None:
    rendered = render_chart(CHART, *values("default"), *TAKEOVER, "--set", CLOUD, *more)
    wanted = {
        "ports": [{"port": port, "protocol": "TCP"} for port in ports],
        "to": [{"ipBlock": {"cidr": "203.0.113.20/32"}}],
    }
    assert wanted in ways_out(rendered, "gateway")
    for name in ("console", "worker-cpu", "migrate"):
        assert "203.0.113.20" not in json.dumps(ways_out(rendered, name)), name


def test_without_a_takeover_the_gateways_egress_stays_closed() -> None:
    rendered = render_chart(CHART, *values("default"), "--set", CLOUD)
    assert "203.0.113.20" not in json.dumps(ways_out(rendered, "gateway"))
