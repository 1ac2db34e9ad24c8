"""The bundle is complete: what it holds installs, serves and reads all four capabilities where there is no network."""

from __future__ import annotations

import argparse
import hashlib
import os
import re
import runpy
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from inkgate.service import __version__
from tests.airgap.signing import Key
from tests.chart.conftest import CHART, VALUES, render_chart

pytestmark = pytest.mark.ops
ROOT = Path(__file__).resolve().parents[2]
SCRIPT = ROOT / "deploy" / "airgap" / "airgap.py"


def airgap(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, str(SCRIPT), *arguments], capture_output=True, text=True, timeout=600)


def verify(folder: Path, *key: str) -> subprocess.CompletedProcess[str]:
    """What verify.sh of a bundle says, in an environment with the system's programs alone."""
    clean = {"PATH": "/usr/bin:/bin"}
    return subprocess.run(["sh", str(folder / "verify.sh"), *key], capture_output=True, text=True, env=clean)


@pytest.fixture(scope="module")
def key(tmp_path_factory: pytest.TempPathFactory) -> Key:
    return Key.make(tmp_path_factory.mktemp("key"))


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory, key: Key) -> Path:
    folder = tmp_path_factory.mktemp("airgap") / "bundle"
    site = tmp_path_factory.mktemp("site")
    (site / "index.html").write_text("<p>the documentation")
    done = airgap("bundle", str(folder), "--site", str(site), "--key", str(key.private))
    assert done.returncode == 0, done.stderr
    assert "without images, signed" in done.stdout
    return folder


@pytest.fixture
def copy(bundle: Path, tmp_path: Path) -> Path:
    """A bundle to change, made of links: a file is replaced, not written to."""
    shutil.copytree(bundle, tmp_path / "bundle", copy_function=os.link)
    return tmp_path / "bundle"


def replace(path: Path, content: bytes) -> None:
    path.unlink()
    path.write_bytes(content)


def namespace() -> list[str]:
    """The command that runs another one without a network; fails the test with what to do where that is forbidden."""
    command = ["unshare", "--net"] if os.geteuid() == 0 else ["unshare", "--map-root-user", "--net"]
    if not shutil.which("unshare"):
        pytest.fail("unshare is missing; install util-linux")
    tried = subprocess.run([*command, "true"], capture_output=True, text=True)
    if tried.returncode:
        pytest.fail(
            f"this machine does not let us make a network namespace ({tried.stderr.strip()}). Run as root, or allow "
            "it: sysctl kernel.unprivileged_userns_clone=1, on Ubuntu also "
            "kernel.apparmor_restrict_unprivileged_userns=0"
        )
    return command


def test_the_image_list_is_what_chart_and_compose_ask_for() -> None:
    wanted = set()
    for values in set(VALUES) - {"airgap"}:  # that one renames every image to a mirror's
        for _, pod in render_chart(CHART, "--values", str(CHART / "ci" / f"{values}-values.yaml")).pods():
            wanted.add(pod["containers"][0]["image"])
    for file in (ROOT / "deploy").glob("compose*.yaml"):
        for service in yaml.safe_load(file.read_text())["services"].values():
            if "image" in service:  # else it changes one of another file
                image = service["image"].replace("${REGISTRY:-}", "")
                wanted.add(re.sub(r"\$\{INKGATE_VERSION:-(.+)\}", r"\1", image))
    listed = airgap("list").stdout.split("# wheels")[0].split()[2:]
    assert set(listed) == wanted


def test_the_bundle_holds_what_an_operator_reads_and_what_the_licences_ask_for(bundle: Path) -> None:
    for name in ("site/index.html", "runbooks/no-live-worker.md", "LICENSE", "THIRD-PARTY-NOTICES", "CHANGELOG.md"):
        assert (bundle / name).is_file(), name
    assert len(list(bundle.glob("client/inkgate_client-*.whl"))) == 1
    assert not list(bundle.glob("wheels/*.tar.gz"))


def test_verify_needs_no_python_and_checks_the_signature(bundle: Path, key: Key, tmp_path: Path) -> None:
    other = Key.make(tmp_path)
    named = verify(bundle, str(key.public))
    assert (named.returncode, named.stderr) == (0, ""), named.stderr
    assert "files are whole; signature verified" in named.stdout
    assert "signature not checked: name the public key" in verify(bundle).stdout
    for program in (verify(bundle, str(other.public)), airgap("verify", str(bundle), "--key", str(other.public))):
        assert program.returncode == 1
        assert program.stderr.endswith("SHA256SUMS.sig is no signature of SHA256SUMS by this key\n")
    assert "signature verified" in airgap("verify", str(bundle), "--key", str(key.public)).stdout


def test_a_bundle_without_signature_says_so(copy: Path, key: Key) -> None:
    (copy / "SHA256SUMS.sig").unlink()
    assert "the bundle is not signed" in verify(copy).stdout
    assert "not signed" in airgap("verify", str(copy)).stdout
    assert verify(copy, str(key.public)).stderr == "verify.sh: refused: the bundle is not signed\n"
    assert airgap("verify", str(copy), "--key", str(key.public)).returncode == 1


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda copy: replace(copy / "deploy" / "install.sh", b"#!/bin/sh\n"), "changed: deploy/install.sh"),
        (lambda copy: (copy / "constraints.txt").unlink(), "missing or not listed: constraints.txt"),
        (lambda copy: (copy / "extra.sh").write_text("echo"), "missing or not listed: extra.sh"),
        (lambda copy: (copy / "link").symlink_to("/etc"), "missing or not listed: link"),
    ],
    ids=["changed", "missing", "additional", "link"],
)
def test_a_tampered_bundle_is_refused_with_one_line(copy: Path, change: Callable[[Path], object], said: str) -> None:
    change(copy)
    done = verify(copy)
    assert (done.returncode, done.stdout, done.stderr) == (1, "", f"verify.sh: refused: {said}\n")


def test_new_checksums_are_refused_by_the_signature(copy: Path, key: Key) -> None:
    replace(copy / "deploy" / "install.sh", b"#!/bin/sh\n")
    listed = [line for line in (copy / "SHA256SUMS").read_text().splitlines() if not line.endswith("/install.sh")]
    digest = hashlib.sha256(b"#!/bin/sh\n").hexdigest()
    replace(copy / "SHA256SUMS", "\n".join([*listed, f"{digest}  deploy/install.sh", ""]).encode())
    assert verify(copy).returncode == 0
    done = verify(copy, str(key.public))
    assert done.stderr == "verify.sh: refused: SHA256SUMS.sig is no signature of SHA256SUMS by this key\n"


def test_verify_names_each_file_that_is_not_as_it_was(copy: Path) -> None:
    assert airgap("verify", str(copy)).returncode == 0
    wheel = next(iter(copy.glob("wheels/inkgate-*.whl")))
    changed = bytearray(wheel.read_bytes())
    changed[100] ^= 1
    wheel.unlink()
    wheel.write_bytes(changed)
    (copy / "constraints.txt").unlink()
    (copy / "extra.sh").write_text("echo")
    done = airgap("verify", str(copy))
    assert done.returncode == 1
    for line in (f"changed: wheels/{wheel.name}", "missing: constraints.txt", "not listed: extra.sh"):
        assert line in done.stderr
    assert airgap("load", str(copy), "mirror.internal").returncode == 1


def test_load_without_images_says_how_to_get_them(bundle: Path) -> None:
    done = airgap("load", str(bundle), "mirror.internal")
    assert done.returncode == 1
    assert "bundle --images" in done.stderr


DOCKER = """#!/bin/sh
echo "$@" >> "$0.log"
case $1 in
  save) echo "layers of $*" ;;
  image) printf '[{"Id": "sha256:1", "Os": "linux", "Architecture": "amd64", "RepoDigests": [],
    "Config": {"Labels": {"%s": "%s"}}}]' \
    org.opencontainers.image.base.name "$BASE" ;;
esac
"""
PINNED = "python@sha256:" + "0" * 64


@pytest.fixture
def docker_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The commands that an engine is given, by one that writes them down; tests/compose has a real one."""
    (tmp_path / "docker").write_text(DOCKER)
    (tmp_path / "docker").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setenv("BASE", PINNED)
    return tmp_path / "docker.log"


def test_images_are_saved_with_the_bundle_and_pushed_into_the_mirror(tmp_path: Path, docker_log: Path) -> None:
    script = runpy.run_path(str(SCRIPT))
    folder, images = tmp_path / "bundle", script["images"]()[1:]
    options = argparse.Namespace(images=True, local=False, platform=None, without=script["images"]()[:1])
    assert script["_chosen"](options) == images
    shutil.copytree(SCRIPT.parent, folder / "deploy" / "airgap")
    script["_save_images"](folder / "images", images)
    digests = script["_digests"](folder)
    (folder / "SHA256SUMS").write_text("".join(f"{digest}  {name}\n" for name, digest in digests.items()))
    assert {name for name in digests if name.startswith("images/")} == {"images/images.tar.gz", "images/IMAGES.json"}

    done = airgap("load", str(folder), "mirror.internal:5000/")
    assert done.returncode == 0, done.stderr
    log = docker_log.read_text()
    assert f"save {' '.join(images)}\n" in log
    for image in images:
        assert (f"pull {image}\n" in log) == (not image.startswith("inkgate/"))
        pushed = f"mirror.internal:5000/{image}"
        assert log.index(f"load --input {folder}/images/") < log.index(f"tag {image} {pushed}\npush {pushed}\n")


def test_an_image_on_a_base_without_digest_is_in_no_bundle(
    docker_log: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    require = runpy.run_path(str(SCRIPT))["_require_pinned_bases"]
    require([f"inkgate/gateway:{__version__}"])
    monkeypatch.setenv("BASE", "python:3.11-slim-bookworm")
    done = airgap("bundle", str(tmp_path / "bundle"), "--images", "--local")
    assert done.returncode == 1
    assert f"inkgate/gateway:{__version__} was built on python:3.11-slim-bookworm, which no digest names" in done.stderr
    assert not (tmp_path / "bundle").exists()
    monkeypatch.setenv("ALLOW_UNPINNED_BASE", "1")
    require([f"inkgate/gateway:{__version__}"])


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--images", "--without", "inkgate/x:1"), "--without inkgate/x:1: not in images.txt"),
        (("--key", "/nowhere.pem"), "no private key at /nowhere.pem"),
    ],
)
def test_wrong_options_are_refused_before_anything_is_made(
    options: tuple[str, ...], said: str, tmp_path: Path, docker_log: Path
) -> None:
    done = airgap("bundle", str(tmp_path / "bundle"), *options)
    assert (done.returncode, done.stderr) == (1, f"airgap.py: {said}\n")
    assert not (tmp_path / "bundle").exists()


def test_the_chart_in_the_bundle_renders(bundle: Path) -> None:
    (archive,) = bundle.glob("chart/*.tgz")
    rendered = render_chart(archive, "--values", str(CHART / "ci" / "gpu-keda-values.yaml"))
    assert len(rendered.all("PrometheusRule")) == 1
    assert len([c for c in rendered.all("ConfigMap") if "dashboard" in c["metadata"]["name"]]) == 3


def test_it_installs_and_reads_without_any_network(bundle: Path, tmp_path: Path) -> None:
    command = [*namespace(), sys.executable, str(Path(__file__).with_name("inside.py")), str(bundle), str(tmp_path)]
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("INKGATE_", "PIP_"))}
    clean["PYTHON"] = sys.executable  # any location: only this test uses the installation
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, env=clean)
    print(done.stdout[-3000:])
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert "no way out" in done.stdout
