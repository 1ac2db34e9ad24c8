"""Images, bundles and installations for one of two platforms: each names its own and refuses the other."""

from __future__ import annotations

import importlib.util
import os
import platform
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[2]
HERE = {"x86_64": "linux/amd64", "aarch64": "linux/arm64"}[platform.machine()]
OTHER = {"linux/amd64": "linux/arm64", "linux/arm64": "linux/amd64"}[HERE]
BOTH = "linux/amd64,linux/arm64"

# An engine that writes down its commands. Images are what was asked for, or what BUILT says; the size is made up.
DOCKER = """#!/bin/sh
echo "$*" >>"$(dirname "$0")/log"
case "$*" in
  *--format\\ {{.Os}}*-arm64) echo "${BUILT:-linux/arm64}" ;;
  *--format\\ {{.Os}}*) echo linux/amd64 ;;
  *--format*) echo "$4" ;;
esac
"""

Script = Callable[..., tuple[subprocess.CompletedProcess[str], list[str]]]


@pytest.fixture
def script(tmp_path: Path) -> Script:
    """Run a script of deploy/docker with an engine that writes down its commands; returns these as well."""
    engine = tmp_path / "docker"
    engine.write_text(DOCKER)
    engine.chmod(0o755)

    def run(name: str, *arguments: str, **values: str) -> tuple[subprocess.CompletedProcess[str], list[str]]:
        (tmp_path / "log").write_text("")
        environment = {"PATH": f"{tmp_path}:{os.environ['PATH']}", **values}
        command = ["sh", str(ROOT / "deploy" / "docker" / name), *arguments]
        done = subprocess.run(command, env=environment, capture_output=True, text=True)
        return done, (tmp_path / "log").read_text().splitlines()

    return run


def airgap() -> ModuleType:
    specification = importlib.util.spec_from_file_location("airgap", ROOT / "deploy" / "airgap" / "airgap.py")
    assert specification and specification.loader
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


def test_each_platform_is_built_for_itself_and_tagged_with_its_name(script: Script) -> None:
    done, log = script("build.sh", "1.2", BOTH, PYTHON_IMAGE="python@sha256:0")
    assert done.returncode == 0, done.stderr
    builds = [line for line in log if line.startswith("build")]
    assert len(builds) == 4 and all("--build-arg PYTHON=python@sha256:0" in line for line in builds)
    for name in ("gateway", "worker"):
        for architecture in ("amd64", "arm64"):
            wanted = f"--target {name} --platform linux/{architecture} "
            assert any(wanted in line and f"--tag inkgate/{name}:1.2-{architecture} " in line for line in builds)
            assert f"inkgate/{name}:1.2-{architecture} linux/{architecture} {{{{.Size}}}} bytes" in done.stdout
    assert not any(line.startswith("tag") for line in log), "the plain tag would be one of two platforms"


@pytest.mark.parametrize("platforms", ["", "linux/arm64"])
def test_one_platform_has_the_tag_that_compose_and_bundles_take(script: Script, platforms: str) -> None:
    done, log = script("build.sh", "1.2", platforms)
    assert done.returncode == 0, done.stderr
    builds = [line for line in log if line.startswith("build")]
    tags = [f"tag inkgate/{name}:1.2-arm64 inkgate/{name}:1.2" for name in ("gateway", "worker")]
    assert [line for line in log if line.startswith("tag")] == (tags if platforms else [])
    assert all(("--platform" in line) == bool(platforms) for line in builds)
    assert platforms or all("--tag inkgate/gateway:1.2 " in line or "worker:1.2 " in line for line in builds)


def test_a_base_image_of_another_platform_is_noticed(script: Script) -> None:
    done, log = script("build.sh", "1.2", "linux/arm64", BUILT="linux/amd64")
    assert done.returncode == 1 and "became linux/amd64" in done.stderr
    assert not any(line.startswith("tag") for line in log)


def test_the_platforms_are_joined_under_one_name_in_a_registry(script: Script) -> None:
    done, log = script("push.sh", "1.2", BOTH, "host:5000")
    assert done.returncode == 0, done.stderr
    for name in ("gateway", "worker"):
        joined = f"host:5000/inkgate/{name}:1.2"
        assert f"manifest create {joined} {joined}-amd64 {joined}-arm64" in log
        assert f"manifest push --purge {joined}" in log
        for architecture in ("amd64", "arm64"):
            assert f"tag inkgate/{name}:1.2-{architecture} {joined}-{architecture}" in log
            assert f"push --quiet {joined}-{architecture}" in log


@pytest.mark.parametrize(
    ("images", "wheels", "expected"),
    [
        ([], True, HERE),
        ([HERE, HERE], True, HERE),
        ([OTHER, OTHER], False, OTHER),
        ([OTHER], True, "--no-wheels leaves them out"),
        ([HERE, OTHER], False, "a bundle is for one platform"),
    ],
)
def test_a_bundle_is_for_one_platform(
    monkeypatch: pytest.MonkeyPatch, images: list[str], wheels: bool, expected: str
) -> None:
    module = airgap()
    found = {
        f"image{number}": dict(zip(("Os", "Architecture"), each.split("/"), strict=True))
        for number, each in enumerate(images)
    }
    monkeypatch.setattr(module, "_inspect", found.__getitem__)
    if expected.startswith("linux/"):
        assert module._platform(list(found), wheels) == expected
    else:
        with pytest.raises(module.Refused, match=expected):
            module._platform(list(found), wheels)


def test_wheels_of_another_platform_are_not_installed(tmp_path: Path) -> None:
    (tmp_path / "deploy").mkdir()
    (tmp_path / "wheels").mkdir()
    shutil.copy(ROOT / "deploy" / "install.sh", tmp_path / "deploy")
    (tmp_path / "PLATFORM").write_text(f"{OTHER}\n")
    command = ["sh", "deploy/install.sh", "all", str(tmp_path / "target"), "wheels"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stderr.startswith(f"install.sh: this release is for {OTHER}, and the machine is {HERE};")
    assert not (tmp_path / "target").exists()
