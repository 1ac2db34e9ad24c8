"""The one-host deployment in real containers, from an empty engine to a restored backup: make compose-test.

The tests are one story and run in this order. Images of the stores are Debian's (`base_images`); ours are those that
`make images` built. The stack starts on the code before the newest migration and is upgraded under the calls.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass

import httpx
import pytest

from inkgate.service import __version__
from inkgate.service.contract.capabilities import CAPABILITIES
from inkgate.service.db import migrate
from inkgate.service.metering.packs import COMMERCIAL
from inkgate.service.samples import sample
from tests.compose import base_images
from tests.compose.base_images import docker
from tests.compose.stack import Stack
from tests.monitoring.deployment import wait_for
from tests.operations.releases import release_before
from tests.valkey import free_port

pytestmark = [pytest.mark.compose, pytest.mark.timeout(900)]

# Above the base image, in MB: the gateway's largest parts are numpy, cryptography and SQLAlchemy, the worker's the
# weights, OpenCV, ONNX Runtime and OpenVINO (190 MB).
SIZE_LIMITS_MB = {"gateway": 310, "worker": 790}
BEFORE = "before"
UNITS = 1_000
KILLED = ("worker", "gateway", "redis", "postgres")


@pytest.fixture(scope="module")
def images() -> str:
    """The prefix under which compose finds every image: ours, the release before, and the stores."""
    prefix = base_images.stores()
    for name in ("gateway", "worker"):
        built = f"inkgate/{name}:{__version__}"
        assert base_images.exists(built), f"{built} is missing: make images PYTHON=…"
        docker("tag", built, f"{prefix}{built}")
    return prefix


@pytest.fixture(scope="module")
def before(images: str, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The version of the release before the newest migration: its code, on today's packages.

    It may look for the weights in a package that today's image has no more: their folder is named as an operator's.
    """
    source = release_before(tmp_path_factory.mktemp("before"))
    context = tmp_path_factory.mktemp("context")
    pip = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", str(context), str(source)]
    subprocess.run(pip, check=True)
    (wheel,) = context.iterdir()
    for name in ("gateway", "worker"):
        lines = f"""
            FROM inkgate/{name}:{__version__}
            USER 0:0
            COPY {wheel.name} /tmp/
            RUN python -m pip install --quiet --no-deps --no-index --force-reinstall /tmp/{wheel.name}
            ENV INKGATE_ENGINE__MODEL_DIR=/opt/inkgate/share/inkgate/models
            USER 10001:10001
        """
        tag = f"{images}inkgate/{name}:{BEFORE}"
        docker("build", "--quiet", "--tag", tag, "--file", "-", str(context), text=lines)
    return BEFORE


@dataclass
class Story:
    """The running stack, what its set-up printed, and the keys of its one app."""

    stack: Stack
    printed: str
    keys: dict[str, str]


@pytest.fixture(scope="module")
def story(images: str, before: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    """The stack on the release before, with an account, an app and units."""
    stack, printed = Stack.prepare(tmp_path_factory.mktemp("stack"), images, free_port())
    stack.configure(INKGATE_VERSION=before)
    try:
        stack.up()
        printed_keys = stack.inkgate("account", "create", "我的公司") + stack.inkgate(
            "app", "create", "我的公司", "扫描前台"
        )
        keys = dict(re.findall(r"^(\w+)=(.+)$", printed_keys, re.MULTILINE))
        stack.inkgate("app", "open", "扫描前台")
        for name in COMMERCIAL:
            stack.inkgate("pack", "grant", "我的公司", name, str(UNITS))
        yield Story(stack, printed, keys)
    finally:
        stack.compose("down", "--volumes", "--timeout", "5")
    left = docker("ps", "--all", "--quiet", "--filter", "label=com.docker.compose.project=inkgate")
    assert left == "", "containers are left behind"
    assert docker("volume", "ls", "--quiet", "--filter", "label=com.docker.compose.project=inkgate") == ""


def reads(story: Story, name: str = "general") -> bool:
    """Whether a signed call is answered with a result."""
    status, answer = story.stack.call(story.keys, CAPABILITIES[name], sample(name))
    return (status, answer.get("statusCode")) == (200, 0)


def used(story: Story) -> int:
    """Units that the ledger has charged."""
    lines = story.stack.inkgate("usage", "--json")
    return sum(line["units"] for line in json.loads(lines))


@pytest.mark.parametrize("name", sorted(SIZE_LIMITS_MB))
def test_an_image_is_not_larger_than_it_was(images: str, name: str) -> None:
    whole, base = (
        int(docker("image", "inspect", "--format", "{{.Size}}", tag))
        for tag in (f"inkgate/{name}:{__version__}", base_images.PYTHON)
    )
    print(f"{name}: {(whole - base) / 1e6:.0f} MB above its base of {base / 1e6:.0f} MB")
    assert (whole - base) / 1e6 <= SIZE_LIMITS_MB[name]


def test_the_release_before_answers_through_tls(story: Story) -> None:
    assert reads(story)


def test_an_upgrade_keeps_keys_and_ledger(story: Story) -> None:
    charged = used(story)
    story.stack.configure(INKGATE_VERSION=__version__)
    story.stack.up()
    assert story.stack.container("gateway")["Config"]["Image"].endswith(f":{__version__}")
    assert story.stack.inkgate("migrate").strip() == f"schema {migrate.head()}"
    for name in CAPABILITIES:
        assert reads(story, name), name
    assert used(story) == charged + len(CAPABILITIES)
    assert "the ledger is sound" in story.stack.inkgate("ledger", "verify")


@pytest.mark.parametrize("service", ["gateway", "console", "worker"])
def test_our_containers_run_without_rights(story: Story, service: str) -> None:
    found = story.stack.container(service)
    assert found["Config"]["User"] == "10001:10001"
    assert found["HostConfig"]["ReadonlyRootfs"] and found["HostConfig"]["CapDrop"] == ["ALL"]
    inside = story.stack.compose(
        "exec", "-T", service, "sh", "-c", "touch /opt/inkgate/x /etc/x 2>&1; id -u", check=False
    )
    assert inside.count("Read-only file system") == 2 and inside.endswith("10001\n")


def test_the_gateway_carries_no_engine_and_the_worker_its_weights(story: Story) -> None:
    found = story.stack.compose(
        "exec", "-T", "gateway", "python", "-c", "import importlib.util as i; print(i.find_spec('onnxruntime'))"
    )
    assert found == "None\n"
    story.stack.inkgate("models", "verify", service="worker")


def test_only_the_published_ports_and_paths_are_open(story: Story) -> None:
    published = {
        name: list(story.stack.container(name)["HostConfig"]["PortBindings"] or {})
        for name in ("gateway", "console", "worker", "postgres", "redis", "nginx", "prometheus")
    }
    assert {name for name, ports in published.items() if ports} == {"nginx", "prometheus"}
    with client(story) as http:
        assert http.get("/metrics").status_code == 404
        assert http.get("/readyz").status_code == 404


def client(story: Story) -> httpx.Client:
    """A browser's part: TLS that trusts the deployment's certificate, cookies kept."""
    return httpx.Client(base_url=story.stack.url, verify=story.stack.context(), follow_redirects=True, timeout=30)


def test_the_first_operator_signs_in_through_tls(story: Story) -> None:
    """With the set-up code that init.sh printed, at the address that it printed."""
    address, code = re.findall(r"(https://\S+)|set-up code: (\S+)", story.printed)
    assert address[0] == "https://localhost/console/"  # its default port; the test's is another
    with client(story) as http:
        first = http.get("/")
        assert first.url.path == "/console/setup", first.text[:500]
        form = {"login": "root-operator", "password": "Long-enough-42", "again": "Long-enough-42"}
        wrong = http.post("/console/setup", data={**form, "csrf": csrf(first), "code": "x" * 24})
        assert wrong.status_code in (400, 403, 422), wrong.status_code
        done = http.post("/console/setup", data={**form, "csrf": csrf(wrong), "code": code[1]})
        assert done.status_code == 200 and done.url.path != "/console/setup", done.text[:2000]
        cookies = {cookie.name: cookie for cookie in http.cookies.jar}
        assert cookies and all(cookie.secure and cookie.path == "/console" for cookie in cookies.values())
        assert http.get("/console/operator/workers").status_code == 200


def csrf(page: httpx.Response) -> str:
    """The token of a page's first form."""
    found = re.search(r'name="csrf" value="([^"]+)"', page.text)
    assert found, page.text[:500]
    return found[1]


@pytest.mark.parametrize("service", KILLED)
def test_a_killed_container_comes_back(story: Story, service: str) -> None:
    """The engine starts it again; calls are answered again, and no call that was answered is missing in the ledger."""
    before, answered, stop = used(story), 0, threading.Event()

    def caller() -> None:
        nonlocal answered
        while not stop.is_set():
            with contextlib.suppress(OSError):
                answered += reads(story)

    thread = threading.Thread(target=caller)
    thread.start()
    try:
        wait_for(lambda: answered > 0, 60, "a call is answered")
        killed = story.stack.container(service)["State"]["Pid"]
        os.kill(killed, signal.SIGKILL)
        wait_for(lambda: story.stack.container(service)["State"]["Pid"] not in (0, killed), 60, f"{service} is started")
        at = answered
        wait_for(lambda: answered > at + 2, 120, "calls are answered again")
    finally:
        stop.set()
        thread.join(120)
    # A call whose connection broke after it was settled is charged; a retry with its id would get the answer.
    assert answered <= used(story) - before <= answered + 2
    assert "the ledger is sound" in story.stack.inkgate("ledger", "verify")


def test_a_backup_is_restored_into_an_empty_database(story: Story) -> None:
    """docs/howto/back-up.md inside containers: everything but the dump and .env is deleted."""
    stack, charged = story.stack, used(story)
    dump = stack.folder / "inkgate.dump"
    connect = ("--username", "inkgate", "--host", "/var/run/postgresql")
    stack.compose(
        "exec", "-T", "postgres", "pg_dump", *connect, "--format=custom", "--no-owner", "--file=/tmp/dump", "inkgate"
    )
    stack.compose("cp", "postgres:/tmp/dump", str(dump))
    stack.compose("down", "--volumes")
    stack.compose("up", "--detach", "--no-build", "--pull", "never", "--wait", "postgres")
    stack.compose("cp", str(dump), "postgres:/tmp/dump")
    stack.compose(
        "exec",
        "-T",
        "postgres",
        "pg_restore",
        *connect,
        "--no-owner",
        "--exit-on-error",
        "--dbname=inkgate",
        "/tmp/dump",
    )
    stack.up()
    assert used(story) == charged
    assert reads(story)
    assert "the ledger is sound" in stack.inkgate("ledger", "verify")
