"""The one-host deployment, as far as it can be tried without a container engine: every file by the program that reads
it, and nginx for real in front of a gateway that says what it got.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import ssl
import stat
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
import yaml

from inkgate.service.settings import secret_settings
from tests.chart.conftest import CHART, ROOT, render_chart
from tools import ops_tools

pytestmark = pytest.mark.ops
DEPLOY = ROOT / "deploy"
SECRETS = {"POSTGRES_PASSWORD": "pg", "REDIS_PASSWORD": "rd", "INKGATE_MASTER_KEY": "A" * 43 + "="}


def beside_python(name: str) -> str:
    """A program that came as a wheel with the test dependencies."""
    found = shutil.which(name, path=str(Path(sys.executable).parent)) or shutil.which(name)
    assert found, f"{name} is missing: install the dependency group chart"
    return found


def test_hadolint_accepts_the_dockerfiles() -> None:
    done = subprocess.run(
        [beside_python("hadolint"), "--no-color", str(DEPLOY / "docker" / "Dockerfile")], capture_output=True, text=True
    )
    assert (done.returncode, done.stdout) == (0, "")


def test_every_image_drops_root_and_is_built_by_the_one_script() -> None:
    text = (DEPLOY / "docker" / "Dockerfile").read_text()
    stages = dict.fromkeys(line.split(" AS ")[1] for line in text.splitlines() if line.startswith("FROM "))
    for target in ("gateway", "worker", "worker-paddle", "worker-cuda"):
        assert target in stages
        assert f"RUN deploy/install.sh {target} /opt/inkgate" in text
        last = text.split(f" AS {target}\n")[1].split("\nFROM ")[0]
        users = [line for line in last.splitlines() if line.startswith("USER ")]
        assert not users or users[-1] == "USER 10001:10001"


def compose(*more: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """The configuration of compose.yaml and `more` files."""
    files = [option for name in ("compose.yaml", *more) for option in ("-f", str(DEPLOY / name))]
    return subprocess.run(
        [
            beside_python("docker-compose"),
            "--env-file",
            "/dev/null",
            *files,
            "config",
            "--format",
            "json",
        ],
        env={"PATH": os.environ["PATH"], "HOME": "/tmp", **environment},
        capture_output=True,
        text=True,
    )


@pytest.fixture(scope="module")
def services() -> dict[str, Any]:
    done = compose(**SECRETS)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)["services"]
    return found


def test_without_secrets_compose_names_the_command() -> None:
    done = compose()
    assert done.returncode != 0
    assert "run deploy/init.sh first" in done.stderr


def test_the_service_accepts_the_environment_of_compose(services: dict[str, Any]) -> None:
    for name in ("gateway", "console", "worker", "migrate"):
        code = "from inkgate.service.settings import load; s = load(); "
        code += "print(s.limits.deadline, s.database.url, s.redis.url)"
        done = subprocess.run(
            [sys.executable, "-c", code], env=services[name]["environment"], cwd=ROOT, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
        assert "60.0" in done.stdout
        assert ("postgresql+asyncpg://inkgate:pg@postgres:5432/inkgate" in done.stdout) == (name != "worker")


def test_a_service_gets_the_secrets_that_its_part_needs(services: dict[str, Any]) -> None:
    for name in ("gateway", "console", "worker", "migrate"):
        given = set(services[name]["environment"])
        for each in secret_settings():
            needed = name in each.parts
            optional = each.group in ("console", "oidc", "ldap")  # .env may have them, but for the set-up code
            assert (each.variable in given) == needed or (needed and optional), f"{name}: {each.variable}"


def test_the_queues_password_is_in_a_file_for_its_owner_alone(services: dict[str, Any], tmp_path: Path) -> None:
    chart = render_chart(CHART, "--values", str(CHART / "ci" / "bundled-values.yaml"))
    pod = dict(chart.pods())["ink-inkgate-redis"]
    for number, command in enumerate((services["redis"]["command"], pod["containers"][0]["command"])):
        written, command_line = tmp_path / f"{number}.conf", command[-1].replace("$$", "$")
        script = command_line.partition(" && exec ")[0].replace("/tmp/redis.conf", str(written))
        subprocess.run(["sh", "-c", script], check=True, env={"PATH": os.environ["PATH"], "REDIS_PASSWORD": "rd"})
        assert "requirepass rd\n" in written.read_text()
        assert stat.S_IMODE(written.stat().st_mode) == 0o600, command


def test_a_deployments_secrets_are_not_for_git() -> None:
    for path in ("deploy/.env", "deploy/tls/tls.key"):
        assert subprocess.run(["git", "check-ignore", "--quiet", path], cwd=ROOT).returncode == 0, path


def test_only_nginx_is_reachable_from_outside(services: dict[str, Any]) -> None:
    published = {name: port for name, item in services.items() for port in item.get("ports", [])}
    assert set(published) == {"nginx", "prometheus"}
    assert published["prometheus"]["host_ip"] == "127.0.0.1"
    assert list(services["gateway"]["networks"]) == list(services["console"]["networks"]) == ["back"]


def test_in_a_takeover_the_gateway_alone_gets_a_way_out(services: dict[str, Any]) -> None:
    done = compose("compose.takeover.yaml", **SECRETS, TAKEOVER_URL="https://cloud.example.com")
    assert done.returncode == 0, done.stderr
    taken = json.loads(done.stdout)["services"]
    assert taken["gateway"]["environment"]["INKGATE_TAKEOVER__URL"] == "https://cloud.example.com"
    changed = {name for name in services if services[name]["networks"] != taken[name]["networks"]}
    assert changed == {"gateway"} and set(taken["gateway"]["networks"]) == {"front", "back"}
    assert "ports" not in taken["gateway"]


def test_for_notices_the_gateway_alone_gets_a_way_out(services: dict[str, Any]) -> None:
    done = compose("compose.notices.yaml", **SECRETS, SMTP_HOST="smtp.example.com", SMTP_FROM="ink@example.com")
    assert done.returncode == 0, done.stderr
    sending = json.loads(done.stdout)["services"]
    assert sending["gateway"]["environment"]["INKGATE_NOTICES__SMTP_HOST"] == "smtp.example.com"
    changed = {name for name in services if services[name]["networks"] != sending[name]["networks"]}
    assert changed == {"gateway"} and "ports" not in sending["gateway"]


def test_the_alertmanager_is_reached_from_this_host_only(services: dict[str, Any]) -> None:
    done = compose("compose.alertmanager.yaml", **SECRETS)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)["services"]
    assert set(found) - set(services) == {"alertmanager"}
    assert [port["host_ip"] for port in found["alertmanager"]["ports"]] == ["127.0.0.1"]
    assert "--config.file=/etc/prometheus/prometheus.alertmanager.yml" in found["prometheus"]["command"]


def test_the_configuration_with_an_alertmanager_differs_by_it_alone() -> None:
    plain, with_it = (
        yaml.safe_load((DEPLOY / "prometheus" / name).read_text())
        for name in ("prometheus.yml", "prometheus.alertmanager.yml")
    )
    [target] = with_it.pop("alerting")["alertmanagers"]
    assert target["dns_sd_configs"][0]["names"] == ["alertmanager"] and plain == with_it
    checked = subprocess.run(
        [str(ops_tools.promtool()), "check", "config", str(DEPLOY / "prometheus" / "prometheus.alertmanager.yml")],
        capture_output=True,
        text=True,
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_the_alertmanager_example_routes_both_severities_to_receivers() -> None:
    example = yaml.safe_load((DEPLOY / "prometheus" / "alertmanager.yml").read_text())
    receivers = {each["name"] for each in example["receivers"]}
    routes = [example["route"], *example["route"]["routes"]]
    assert {route["receiver"] for route in routes} == receivers
    assert [route["matchers"] for route in example["route"]["routes"]] == [['severity="page"']]
    rules = yaml.safe_load((DEPLOY / "prometheus" / "inkgate.rules.yml").read_text())
    alerts = {rule["alert"] for group in rules["groups"] for rule in group["rules"] if "alert" in rule}
    for rule in example["inhibit_rules"]:
        named = str(rule["source_matchers"] + rule["target_matchers"])
        assert set(re.findall(r"InkGate[A-Za-z]+", named)) <= alerts


def test_our_containers_have_minimal_privileges(services: dict[str, Any]) -> None:
    for name in ("gateway", "console", "worker", "migrate", "redis", "nginx"):
        assert services[name]["read_only"] is True, name
        assert services[name]["cap_drop"] == ["ALL"], name
        assert services[name]["security_opt"] == ["no-new-privileges:true"], name


def test_every_file_that_compose_mounts_exists(services: dict[str, Any]) -> None:
    for name, item in services.items():
        for volume in item.get("volumes", []):
            source = Path(volume["source"]) if volume["type"] == "bind" else None
            if source and "tls" not in source.parts:  # made by init.sh
                assert source.exists(), f"{name}: {source}"


def test_prometheus_accepts_its_configuration() -> None:
    done = subprocess.run(
        [str(ops_tools.promtool()), "check", "config", str(DEPLOY / "prometheus" / "prometheus.yml")],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of deploy/ after init.sh."""
    folder = tmp_path_factory.mktemp("deploy")
    shutil.copy(DEPLOY / "init.sh", folder)
    for _ in range(2):
        subprocess.run(["sh", str(folder / "init.sh"), "ocr.example"], check=True, capture_output=True)
    return folder


def test_init_makes_secrets_once_and_keeps_them_private(prepared: Path) -> None:
    before = (prepared / ".env").read_text()
    (prepared / ".env").chmod(0o644)  # rewritten by an editor, or copied
    done = subprocess.run(["sh", str(prepared / "init.sh")], check=True, capture_output=True, text=True)
    assert "kept" in done.stdout
    assert (prepared / ".env").read_text() == before
    assert "https://ocr.example/console/" in done.stdout
    for secret in (prepared / ".env", prepared / "tls" / "tls.key"):
        assert stat.S_IMODE(secret.stat().st_mode) == 0o600
    values = dict(line.split("=", 1) for line in before.splitlines() if not line.startswith("#"))
    assert compose(**values).returncode == 0


class Echo(BaseHTTPRequestHandler):
    """Stands where the gateway stands and says what reached it."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        length, chunked = int(self.headers.get("Content-Length", 0)), 0
        while length:
            length -= len(self.rfile.read(min(length, 1 << 20)))
            chunked += 1
        body = json.dumps({"host": self.headers["Host"], "from": self.headers["X-Forwarded-For"], "path": self.path})
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, format: str, *args: object) -> None:
        pass


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@pytest.fixture(scope="module")
def front(prepared: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """nginx with our configuration, but for its addresses; the base URL."""
    gateway = ThreadingHTTPServer(("127.0.0.1", 0), Echo)
    Thread(target=gateway.serve_forever, daemon=True).start()
    folder, port = tmp_path_factory.mktemp("nginx"), free_port()
    text = (DEPLOY / "nginx" / "nginx.conf").read_text()
    for old, new in (
        ("/tmp/", f"{folder}/"),
        ("gateway:8080 resolve", f"127.0.0.1:{gateway.server_address[1]}"),
        ("console:8090 resolve", f"127.0.0.1:{gateway.server_address[1]}"),
        ("listen 8443", f"listen 127.0.0.1:{port}"),
        ("/etc/nginx/tls", str(prepared / "tls")),
        ("/etc/nginx/calls.conf", str(DEPLOY / "nginx" / "calls.conf")),
        ("/etc/nginx/console.conf", str(DEPLOY / "nginx" / "console.conf")),
        ("worker_processes auto", "worker_processes 1"),
        # `http2 on` came with nginx 1.25; older ones on a developer's machine do without.
        ("        http2 on;\n", ""),
    ):
        assert old in text
        text = text.replace(old, new)
    (folder / "nginx.conf").write_text(f"daemon off;\n{'user root;' if os.getuid() == 0 else ''}\n{text}")
    nginx = subprocess.Popen(
        [str(ops_tools.nginx()), "-p", str(folder), "-e", "stderr", "-c", str(folder / "nginx.conf")],
        stderr=subprocess.PIPE,
        text=True,
    )
    for _ in range(100):
        if nginx.poll() is not None:
            raise AssertionError(nginx.stderr.read() if nginx.stderr else "")
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                break
        time.sleep(0.05)
    yield f"https://127.0.0.1:{port}"
    nginx.terminate()
    nginx.wait(10)
    gateway.shutdown()


def unverified() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


def tls(plain: socket.socket) -> ssl.SSLSocket:
    return unverified().wrap_socket(plain)


def send(url: str, body: bytes, **headers: str) -> tuple[int, bytes]:
    request = urllib.request.Request(url, data=body, headers=headers, method="POST")
    try:
        with urllib.request.urlopen(request, timeout=60, context=unverified()) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()


def test_nginx_forwards_the_host_unchanged(front: str) -> None:
    status, body = send(f"{front}/v1/aiop/x", b"{}", Host="ai-global.ctapi.ctyun.cn:8443")
    assert status == 200
    assert json.loads(body) == {"host": "ai-global.ctapi.ctyun.cn:8443", "from": "127.0.0.1", "path": "/v1/aiop/x"}


def test_a_forged_forwarding_header_is_replaced(front: str) -> None:
    _, body = send(f"{front}/v1/aiop/x", b"{}", **{"X-Forwarded-For": "10.9.9.9"})
    assert json.loads(body)["from"] == "127.0.0.1"


def test_nginx_forwards_bodies_of_any_size(front: str) -> None:
    assert send(f"{front}/v1/aiop/x", bytes(101 * 1024 * 1024))[0] == 200


def test_health_and_metrics_are_not_public(front: str) -> None:
    for path in ("/metrics", "/readyz", "/docs", "/consoles", "/admin/v1/accounts"):
        assert send(front + path, b"")[0] == 404


def test_the_console_is_served_beside_the_calls(front: str) -> None:
    status, body = send(f"{front}/console/login", b"a=b", Host="ocr.example:8443")
    assert status == 200
    assert json.loads(body) == {"host": "ocr.example:8443", "from": "127.0.0.1", "path": "/console/login"}
    for path in ("/", "/console"):
        with socket.create_connection(("127.0.0.1", int(front.rpartition(":")[2]))) as plain, tls(plain) as stream:
            stream.sendall(f"GET {path} HTTP/1.1\r\nHost: ocr.example:8443\r\nConnection: close\r\n\r\n".encode())
            answer = b"".join(iter(lambda: stream.recv(65536), b"")).decode()
        assert " 302 " in answer.splitlines()[0]
        assert "\r\nLocation: /console/\r\n" in answer, "a mapped port must not be lost"
