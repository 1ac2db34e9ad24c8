"""The Dockerfile's own lines make roots that work: not root, nothing to write to, and together they read an image.

Needs root and a mount namespace of its own, so that nothing stays mounted: make image-test.
"""

from __future__ import annotations

import asyncio
import os
import select
import socket
import socketserver
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import unquote

import pytest

from inkgate.service.contract.capabilities import CAPABILITIES
from inkgate.service.samples import sample
from tests.image.builder import Builder, Image, container, debian, mounted
from tests.keys import MASTER_KEY, provisioned
from tests.monitoring.deployment import wait_for
from tests.postgres import Postgres
from tests.sandbox import Sandbox
from tests.valkey import free_port

pytestmark = [pytest.mark.ops, pytest.mark.timeout(900)]
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Image]:
    """The images that compose and the chart start by default, built from Debian's root."""
    (here,) = [line for line in Path("/proc/self/mountinfo").read_text().splitlines() if line.split()[4] == "/"]
    if os.geteuid() != 0 or " shared:" in here:
        pytest.fail("run it as root, in a mount namespace of its own: make image-test")
    work, start = tmp_path_factory.mktemp("images"), time.monotonic()
    base = debian(work / "debian")
    print(f"debian bookworm: {time.monotonic() - start:.0f} s")
    builder = Builder(ROOT / "deploy" / "docker" / "Dockerfile", ROOT, base, work)
    made = {}
    for target in ("gateway", "worker"):
        start = time.monotonic()
        made[target] = builder.build(target)
        size = sum(file.lstat().st_size for file in made[target].layers[0].rglob("*"))
        print(f"{target}: {time.monotonic() - start:.0f} s, {size / 1e6:.0f} MB above Debian and its Python")
    return made


@pytest.fixture(scope="module")
def roots(images: dict[str, Image], tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Path]]:
    """Both images as read-only roots."""
    with ExitStack() as stack:
        work = tmp_path_factory.mktemp("roots")
        yield {name: stack.enter_context(mounted(image, work / name, read_only=True)) for name, image in images.items()}


Start = Callable[..., "subprocess.Popen[bytes]"]


@pytest.fixture
def start(images: dict[str, Image], roots: dict[str, Path]) -> Iterator[Start]:
    """start("gateway", "migrate", NAME="value"): a container of an image; all are ended after the test."""
    running: list[subprocess.Popen[bytes]] = []

    def call(name: str, *arguments: str, **env: object) -> subprocess.Popen[bytes]:
        image = images[name]
        given = {**image.env, **{f"INKGATE_{key}": str(value) for key, value in env.items()}}
        running.append(subprocess.Popen(container(image, roots[name], arguments), env=given))
        return running[-1]

    yield call
    for process in running:
        process.terminate()
    for process in running:
        process.wait(30)


def inside(image: Image, root: Path, *command: str) -> subprocess.CompletedProcess[str]:
    bare = Image(image.layers, image.env, image.user, image.workdir)
    return subprocess.run(container(bare, root, command), env=image.env, capture_output=True, text=True)


@pytest.mark.parametrize("name", ["gateway", "worker"])
def test_nothing_runs_as_root_and_only_tmp_can_be_written(
    name: str, images: dict[str, Image], roots: dict[str, Path]
) -> None:
    image, root = images[name], roots[name]
    assert inside(image, root, "id", "-u", "-r").stdout == "10001\n"
    assert inside(image, root, "touch", "/tmp/here").returncode == 0
    for place in ("/opt/inkgate/x", "/etc/x", "/var/tmp/x", "/x"):
        assert inside(image, root, "touch", place).returncode != 0, place
    status = inside(image, root, "cat", "/proc/self/status").stdout
    assert "CapBnd:\t0000000000000000" in status
    assert "NoNewPrivs:\t1" in status


def test_the_gateway_carries_no_engine_and_the_worker_its_weights(
    images: dict[str, Image], roots: dict[str, Path]
) -> None:
    gateway = inside(images["gateway"], roots["gateway"], "python", "-c", "import onnxruntime")
    assert "ModuleNotFoundError" in gateway.stderr
    assert inside(images["worker"], roots["worker"], "inkgate", "models", "verify").returncode == 0


class Door(socketserver.ThreadingTCPServer):
    """A port of the loopback that leads to the socket of the tests' Postgres, which no other user may reach."""

    daemon_threads = True

    def __init__(self, folder: str) -> None:
        super().__init__(("127.0.0.1", 0), _Passage)
        self.target = f"{folder}/.s.PGSQL.5432"


class _Passage(socketserver.BaseRequestHandler):
    server: Door

    def handle(self) -> None:
        with socket.socket(socket.AF_UNIX) as inner:
            inner.connect(self.server.target)
            pairs = {self.request: inner, inner: self.request}
            while True:
                for source in select.select(list(pairs), [], [])[0]:
                    data = source.recv(65536)
                    if not data:
                        return
                    pairs[source].sendall(data)


@pytest.fixture
def database(postgres: Postgres) -> Iterator[tuple[str, str]]:
    """The URL of an empty database, outside and as the containers see it."""
    outside = postgres.empty()
    address, _, folder = outside.partition("?host=")
    with Door(unquote(folder)) as door:
        threading.Thread(target=door.serve_forever, daemon=True).start()
        yield outside, address.replace("@", f"@127.0.0.1:{door.server_address[1]}")
        door.shutdown()


def ready(port: int) -> bool:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=2) as answer:
        return bool(answer.status == 200)


def test_the_containers_read_all_four_samples(start: Start, database: tuple[str, str], valkey_server: str) -> None:
    """Migration, gateway and worker as compose starts them, over a real Postgres and Valkey outside."""
    port, health = free_port(), free_port()
    outside, url = database
    stores = {"DATABASE__URL": url, "SECURITY__MASTER_KEY": MASTER_KEY}
    assert start("gateway", "migrate", DATABASE__URL=url).wait(60) == 0
    keys = asyncio.run(provisioned(outside))
    start("worker", REDIS__URL=valkey_server, WORKER__PROCESSES=1, WORKER__HEALTH_PORT=health)
    start("gateway", REDIS__URL=valkey_server, SERVER__PORT=port, **stores)
    wait_for(lambda: ready(health) and ready(port), 120, "gateway and worker are ready")
    client = Sandbox(dict(line.split("=", 1) for line in keys.lines(f"http://127.0.0.1:{port}")), 0)
    for name, capability in CAPABILITIES.items():
        status, answer = client.call(capability, sample(name))
        assert (status, answer["statusCode"]) == (200, 0), answer
        print(f"{name}: {str(answer['returnObj'])[:70]} …", file=sys.stderr)
