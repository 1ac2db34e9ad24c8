#!/usr/bin/env python3
"""Transfer InkGate into a network without internet access. Needs Python 3.11 and, for container images, docker.

    deploy/airgap/airgap.py list                          images and wheels of this release
    deploy/airgap/airgap.py bundle FOLDER [--images]      everything in one folder, with checksums
    deploy/airgap/airgap.py verify FOLDER                 no file is missing, changed or additional
    deploy/airgap/airgap.py load FOLDER REGISTRY          verify, then push the images to your registry

`bundle` runs with network access, with the same minor version of Python and the same platform as the target. The folder
then contains wheels, chart, compose files, this script and, with --images, the images as docker saves them. `verify`
and `load` run in the closed network, with the script in the folder.
"""

from __future__ import annotations

import argparse
import hashlib
import re
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
SUMS = "SHA256SUMS"


class Refused(Exception):
    """The command cannot be executed; the message gives the reason and the remedy."""


def images(folder: Path = HERE) -> list[str]:
    """The container images of this release, from images.txt."""
    lines = (folder / "images.txt").read_text().splitlines()
    return [line.strip() for line in lines if line.strip() and not line.startswith("#")]


def requirements() -> list[str]:
    """The wheels of this release as name==version, from constraints.txt."""
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    return [line.strip() for line in lines if line.strip() and not line.startswith(("#", " "))]


def list_all() -> None:
    """Print the content of a bundle."""
    print("# images")
    print("\n".join(images()))
    print("# wheels (constraints of every image)")
    print("\n".join(requirements()))


def bundle(folder: Path, with_images: bool) -> None:
    """Fill an empty folder. Raises Refused when it is not empty or a program is missing."""
    if folder.exists() and any(folder.iterdir()):
        raise Refused(f"{folder} is not empty; name a new folder")
    for part in ("wheels", "chart", "deploy/airgap"):
        (folder / part).mkdir(parents=True, exist_ok=True)
    print("wheels …")
    _pip("wheel", "--quiet", "--no-deps", "--wheel-dir", str(folder / "wheels"), str(ROOT))
    _pip(
        "download",
        "--quiet",
        "--dest",
        str(folder / "wheels"),
        "--constraint",
        str(ROOT / "constraints.txt"),
        "--prefer-binary",
        f"{ROOT}[otel,amx]",
    )
    for line in requirements():  # also what only another patch release of this Python needs (Debian 12 has 3.11.2)
        if re.search(r"python_full_version < '\d+\.\d+\.[1-9]", line):
            _pip("download", "--quiet", "--no-deps", "--dest", str(folder / "wheels"), line.split(";")[0].strip())
    for archive in (folder / "wheels").glob("*.tar.gz"):  # sdists are built here, not in the closed network
        _pip("wheel", "--quiet", "--no-deps", "--wheel-dir", str(folder / "wheels"), str(archive))
        archive.unlink()
    for stray in (folder / "wheels").glob("inkgate-*.zip"):
        stray.unlink()
    print("chart and compose files …")
    _pack_chart(folder / "chart")
    for part in (
        "compose.yaml",
        "compose.takeover.yaml",
        "compose.notices.yaml",
        "compose.alertmanager.yaml",
        "init.sh",
        "install.sh",
        "parts.py",
        "nginx",
        "prometheus",
        "grafana",
        "systemd",
    ):
        _copy(ROOT / "deploy" / part, folder / "deploy" / part)
    for name in ("airgap.py", "images.txt"):
        _copy(HERE / name, folder / "deploy" / "airgap" / name)
    _copy(ROOT / "constraints.txt", folder / "constraints.txt")
    if with_images:
        _save_images(folder / "images")
    (folder / SUMS).write_text("".join(f"{digest}  {name}\n" for name, digest in _digests(folder).items()))
    sizes = [path.stat().st_size for path in folder.rglob("*") if path.is_file()]
    print(f"{folder}: {len(sizes)} files, {sum(sizes) / 1e6:.0f} MB{'' if with_images else ', without images'}")


def verify(folder: Path) -> None:
    """Check a bundle. Raises Refused with the files that are missing, changed or not listed."""
    try:
        listed = dict(line.split("  ", 1)[::-1] for line in (folder / SUMS).read_text().splitlines())
    except FileNotFoundError:
        raise Refused(f"{folder} has no {SUMS}; is it a bundle?") from None
    found = _digests(folder)
    wrong = [f"missing: {name}" for name in listed if name not in found]
    wrong += [f"not listed: {name}" for name in found if name not in listed]
    wrong += [f"changed: {name}" for name in listed if name in found and found[name] != listed[name]]
    if wrong:
        raise Refused("\n".join(wrong))
    print(f"{folder}: {len(listed)} files are whole")


def load(folder: Path, registry: str) -> None:
    """Verify, then load, tag and push every image. Raises Refused."""
    verify(folder)
    archives = sorted((folder / "images").glob("*.tar"))
    if not archives:
        raise Refused("this bundle has no images; make it with: bundle --images")
    for archive in archives:
        _docker("load", "--input", str(archive))
    for image in images(folder / "deploy" / "airgap"):
        target = f"{registry.rstrip('/')}/{image}"
        _docker("tag", image, target)
        _docker("push", target)
    print(f"now: helm install … {folder / 'chart'}/*.tgz --set global.imageRegistry={registry}")


def _pack_chart(folder: Path) -> None:
    """The chart as a package like that of `helm package`; its links to deploy/ become files."""
    chart = ROOT / "helm" / "inkgate"
    text = (chart / "Chart.yaml").read_text()
    version = re.search(r"(?m)^version: (\S+)$", text)
    assert version
    with tarfile.open(folder / f"inkgate-{version.group(1)}.tgz", "w:gz", dereference=True) as tar:
        tar.add(chart, "inkgate", filter=lambda item: None if item.name.startswith("inkgate/ci") else item)


def _save_images(folder: Path) -> None:
    folder.mkdir()
    for image in images():
        print(f"image {image} …")
        if not image.startswith("inkgate/"):
            _docker("pull", image)
        _docker("save", "--output", str(folder / f"{re.sub(r'[/:]', '_', image)}.tar"), image)


def _copy(source: Path, target: Path) -> None:
    if source.is_dir():
        shutil.copytree(source, target)
    else:
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(source, target)


def _digests(folder: Path) -> dict[str, str]:
    found = {}
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path.name != SUMS:
            with path.open("rb") as file:
                found[path.relative_to(folder).as_posix()] = hashlib.file_digest(file, "sha256").hexdigest()
    return found


def _pip(*arguments: str) -> None:
    _run([sys.executable, "-m", "pip", "--disable-pip-version-check", *arguments])


def _docker(*arguments: str) -> None:
    if not shutil.which("docker"):
        raise Refused("docker is not on PATH, and images cannot be handled without it")
    _run(["docker", *arguments])


def _run(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise Refused(f"{' '.join(command[:4])} … failed:\n{(done.stderr or done.stdout).strip()[-2000:]}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("list", help="print images and wheels")
    making = commands.add_parser("bundle", help="fill an empty folder")
    making.add_argument("folder", type=Path)
    making.add_argument("--images", action="store_true", help="pull and save the images, too")
    commands.add_parser("verify", help="check every file").add_argument("folder", type=Path)
    loading = commands.add_parser("load", help="put the images into a registry")
    loading.add_argument("folder", type=Path)
    loading.add_argument("registry")
    given = parser.parse_args()
    try:
        match given.command:
            case "list":
                list_all()
            case "bundle":
                bundle(given.folder, given.images)
            case "verify":
                verify(given.folder)
            case _:
                load(given.folder, given.registry)
    except Refused as refused:
        sys.exit(f"airgap.py: {refused}")


if __name__ == "__main__":
    main()
