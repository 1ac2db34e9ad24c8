"""The bundle is complete: what it holds installs, serves and reads all four capabilities where there is no network."""

from __future__ import annotations

import os
import runpy
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.chart.conftest import CHART, VALUES, render_chart

pytestmark = pytest.mark.ops
ROOT = Path(__file__).resolve().parents[2]
SCRIPT = ROOT / "deploy" / "airgap" / "airgap.py"


def airgap(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, str(SCRIPT), *arguments], capture_output=True, text=True, timeout=600)


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("airgap") / "bundle"
    done = airgap("bundle", str(folder))
    assert done.returncode == 0, done.stderr
    print(done.stdout)
    return folder


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
                wanted.add(image.replace("${INKGATE_VERSION:-0.1.0}", "0.1.0"))
    listed = airgap("list").stdout.split("# wheels")[0].split()[2:]
    assert set(listed) == wanted


def test_verify_names_each_file_that_is_not_as_it_was(bundle: Path, tmp_path: Path) -> None:
    copy = tmp_path / "bundle"
    shutil.copytree(bundle, copy, copy_function=os.link)
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
[ "$1" != save ] || echo "layers of $4" > "$3"
"""


def test_images_are_saved_with_the_bundle_and_pushed_into_the_mirror(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The commands that an engine is given, by one that writes them down: there is none where this runs."""
    (tmp_path / "docker").write_text(DOCKER)
    (tmp_path / "docker").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    script = runpy.run_path(str(SCRIPT))
    folder, images = tmp_path / "bundle", script["images"]()
    shutil.copytree(SCRIPT.parent, folder / "deploy" / "airgap")
    script["_save_images"](folder / "images")
    digests = script["_digests"](folder)
    (folder / "SHA256SUMS").write_text("".join(f"{digest}  {name}\n" for name, digest in digests.items()))
    assert len([name for name in digests if name.startswith("images/")]) == len(images)

    done = airgap("load", str(folder), "mirror.internal:5000/")
    assert done.returncode == 0, done.stderr
    log = (tmp_path / "docker.log").read_text()
    for image in images:
        assert (f"pull {image}\n" in log) == (not image.startswith("inkgate/"))
        pushed = f"mirror.internal:5000/{image}"
        assert log.index(f"load --input {folder}/images/") < log.index(f"tag {image} {pushed}\npush {pushed}\n")


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
