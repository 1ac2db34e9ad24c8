"""The air-gap bundle from real images: signed, refused when tampered with, started where there is no network.

The images are those that the other tests of this folder run; the engine that loads them is a new one.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from inkgate.service import __version__
from tests.airgap.signing import Key
from tests.airgap.test_airgap import airgap, namespace, verify
from tests.compose import base_images
from tests.compose.base_images import docker

pytestmark = [pytest.mark.compose, pytest.mark.timeout(600)]
ROOT = Path(__file__).resolve().parents[2]
# Not built or imported by make compose-test.
ABSENT = (f"inkgate/worker-cuda:{__version__}", "prom/alertmanager:v0.28.1")


@pytest.fixture(scope="module")
def key(tmp_path_factory: pytest.TempPathFactory) -> Key:
    return Key.make(tmp_path_factory.mktemp("key"))


@pytest.fixture(scope="module")
def bundle(key: Key) -> Iterator[Path]:
    """A signed bundle of images and compose files, on a disk: it would not fit beside other tests' files in memory."""
    prefix = base_images.stores()
    for image in airgap("list").stdout.split("# wheels")[0].split()[2:]:
        if image not in ABSENT and not image.startswith("inkgate/"):
            docker("tag", f"{prefix}{image}", image)
    with tempfile.TemporaryDirectory(dir="/var/tmp") as folder:
        made = Path(folder, "bundle")
        left_out = [option for image in ABSENT for option in ("--without", image)]
        options = ["--images", "--local", "--no-wheels", *left_out, "--key", str(key.private)]
        refused = airgap("bundle", str(made), *options)
        assert "which no digest names" in refused.stderr  # Debian's stand-in for the base image has none
        os.environ["ALLOW_UNPINNED_BASE"] = "1"
        try:
            done = airgap("bundle", str(made), *options)
        finally:
            del os.environ["ALLOW_UNPINNED_BASE"]
        assert done.returncode == 0, done.stderr
        print(done.stdout)
        yield made


def test_a_new_engine_without_network_loads_it_starts_compose_and_answers_a_call(bundle: Path, key: Key) -> None:
    with tempfile.TemporaryDirectory(dir="/var/tmp") as work:
        command = [
            *namespace(),
            sys.executable,
            "-m",
            "tests.compose.closed_network",
            str(bundle),
            str(key.public),
            work,
        ]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=400)
    print(done.stdout)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert "no way out" in done.stdout and "signature verified" in done.stdout
    assert "answered 200, statusCode 0" in done.stdout


def test_an_altered_image_is_refused_before_it_is_loaded(bundle: Path, key: Key, tmp_path: Path) -> None:
    archive = bundle / "images" / "images.tar.gz"
    with archive.open("r+b") as file:
        file.seek(1000)
        (byte,) = file.read(1)
        file.seek(1000)
        file.write(bytes([byte ^ 1]))
    done = verify(bundle, str(key.public))
    assert (done.returncode, done.stderr) == (1, "verify.sh: refused: changed: images/images.tar.gz\n")
    engine = tmp_path / "docker"
    engine.write_text('#!/bin/sh\ntouch "$0.called"\n')
    engine.chmod(0o755)
    loading = subprocess.run(
        [sys.executable, str(bundle / "deploy/airgap/airgap.py"), "load", str(bundle), "--key", str(key.public)],
        capture_output=True,
        text=True,
        env={**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"},
    )
    assert (loading.returncode, loading.stderr) == (1, "airgap.py: changed: images/images.tar.gz\n")
    assert not Path(f"{engine}.called").exists()
