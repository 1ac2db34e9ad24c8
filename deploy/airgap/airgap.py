#!/usr/bin/env python3
"""Transfer InkGate into a network without internet access. Needs Python 3.11 and, for container images, an engine.

    deploy/airgap/airgap.py list                      images and wheels of this release
    deploy/airgap/airgap.py bundle FOLDER [--images]  everything in one folder, with checksums
    deploy/airgap/airgap.py verify FOLDER             no file is missing, changed or additional
    deploy/airgap/airgap.py load FOLDER [REGISTRY]    verify, load the images, push them to your registry

`bundle` runs with network access, with the same minor version of Python and the same platform as the target. The folder
then contains wheels, chart, compose files, runbooks, licences, this script and, with --images, the images in one
archive. --key signs the checksums with a private key (PEM, EC or RSA). `verify` and `load` run in the closed network,
with the script in the folder; verify.sh beside it does the former without Python.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
SUMS = "SHA256SUMS"
SIGNATURE = "SHA256SUMS.sig"  # over SUMS, by openssl dgst -sha256
ARCHIVE = "images.tar.gz"
CONTENTS = "IMAGES.json"  # id, digests, platform and base of each image in ARCHIVE
PLATFORM = "PLATFORM"  # of wheels and images: linux/amd64 or linux/arm64; install.sh compares it with its machine
BASE_LABEL = "org.opencontainers.image.base.name"  # set by the Dockerfile
ALLOW_UNPINNED = "ALLOW_UNPINNED_BASE"
ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}  # of the kernel, and of container images

DEPLOYMENT = (
    "compose.yaml",
    "compose.takeover.yaml",
    "compose.notices.yaml",
    "compose.alertmanager.yaml",
    "init.sh",
    "install.sh",
    "trim.py",
    "parts.py",
    "nginx",
    "prometheus",
    "grafana",
    "systemd",
)


class Refused(Exception):
    """The command cannot be executed; the message gives the reason and the remedy."""


def images(folder: Path = HERE) -> list[str]:
    """The container images of this release, from images.txt."""
    lines = (folder / "images.txt").read_text().splitlines()
    return [line.strip() for line in lines if line.strip() and not line.startswith("#")]


def requirements() -> list[str]:
    """The wheels of this release as name==version, from requirements.txt and the lock of what lists the parts."""
    files = (ROOT / "requirements.txt", ROOT / "tools" / "locks" / "parts.txt")
    lines = [line for file in files for line in file.read_text().splitlines()]
    return sorted({line.rstrip(" \\") for line in lines if line and not line.startswith(("#", " "))})


def list_all() -> None:
    """Print the content of a bundle."""
    print("# images")
    print("\n".join(images()))
    print("# wheels")
    print("\n".join(requirements()))


def bundle(folder: Path, chosen: list[str], wheels: bool, site: Path | None, key: Path | None) -> None:
    """Fill an empty folder; `chosen` are the images. Raises Refused when it is not empty or a program is missing."""
    if folder.exists() and any(folder.iterdir()):
        raise Refused(f"{folder} is not empty; name a new folder")
    if key is not None and not key.is_file():
        raise Refused(f"no private key at {key}")
    if chosen:
        _require_pinned_bases(chosen)
    built_for = _platform(chosen, wheels)
    for part in ("chart", "deploy/airgap"):
        (folder / part).mkdir(parents=True, exist_ok=True)
    if wheels:
        print("wheels …")
        _pack_wheels(folder / "wheels")
    _pip("wheel", "--quiet", "--no-deps", "--wheel-dir", str(folder / "client"), str(ROOT / "clients" / "python"))
    print("chart, compose files and documents …")
    _pack_chart(folder / "chart")
    for part in DEPLOYMENT:
        _copy(ROOT / "deploy" / part, folder / "deploy" / part)
    for name in ("airgap.py", "images.txt"):
        _copy(HERE / name, folder / "deploy" / "airgap" / name)
    _copy(HERE / "verify.sh", folder / "verify.sh")
    for name in ("constraints.txt", "tools/locks/parts.txt", "LICENSE", "THIRD-PARTY-NOTICES", "CHANGELOG.md"):
        _copy(ROOT / name, folder / name)
    _copy(ROOT / "docs" / "runbooks", folder / "runbooks")
    if site is not None:
        _copy(site, folder / "site")
    if chosen:
        _save_images(folder / "images", chosen)
    (folder / PLATFORM).write_text(f"{built_for}\n")
    (folder / SUMS).write_text("".join(f"{digest}  {name}\n" for name, digest in _digests(folder).items()))
    if key is not None:
        _run(["openssl", "dgst", "-sha256", "-sign", str(key), "-out", str(folder / SIGNATURE), str(folder / SUMS)])
    sizes = [path.stat().st_size for path in folder.rglob("*") if path.is_file()]
    print(
        f"{folder}: for {built_for}, {len(sizes)} files, {sum(sizes) / 1e6:.0f} MB, "
        f"{f'{len(chosen)} images' if chosen else 'without images'}, {'signed' if key else 'not signed'}"
    )


def verify(folder: Path, key: Path | None = None) -> None:
    """Check a bundle, and its signature when the public key is named.

    Raises Refused with the files that are missing, changed or not listed.
    """
    if key is not None:
        _check_signature(folder, key)
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
    state = "signature verified" if key else "signature not checked" if (folder / SIGNATURE).exists() else "not signed"
    print(f"{folder}: {len(listed)} files are whole, {state}")


def load(folder: Path, registry: str, engine: str, key: Path | None = None) -> None:
    """Verify, load the images into an engine, and tag and push each when a registry is named. Raises Refused."""
    verify(folder, key)
    archive = folder / "images" / ARCHIVE
    if not archive.exists():
        raise Refused("this bundle has no images; make it with: bundle --images")
    if not shutil.which(engine):
        raise Refused(f"{engine} is not on PATH; name another engine: --engine docker or --engine podman")
    _run([engine, "load", "--input", str(archive)])
    names = list(json.loads((folder / "images" / CONTENTS).read_text()))
    print("\n".join(f"loaded {image}" for image in names))
    if registry:
        for image in names:
            target = f"{registry.rstrip('/')}/{image}"
            _run([engine, "tag", image, target])
            _run([engine, "push", target])
        print(f"now: helm install … {folder / 'chart'}/*.tgz --set global.imageRegistry={registry}")


def _check_signature(folder: Path, key: Path) -> None:
    if not key.is_file():
        raise Refused(f"no public key at {key}")
    if not (folder / SIGNATURE).exists():
        raise Refused("the bundle is not signed")
    files = ["-signature", str(folder / SIGNATURE), str(folder / SUMS)]
    done = subprocess.run(["openssl", "dgst", "-sha256", "-verify", str(key), *files], capture_output=True)
    if done.returncode:
        raise Refused(f"{SIGNATURE} is no signature of {SUMS} by this key")


def _pack_wheels(folder: Path) -> None:
    _pip("wheel", "--quiet", "--no-deps", "--wheel-dir", str(folder), str(ROOT))
    for lock in (ROOT / "requirements.txt", ROOT / "tools" / "locks" / "parts.txt"):
        _pip("download", "--quiet", "--require-hashes", "--dest", str(folder), "--prefer-binary", "-r", str(lock))
    for line in requirements():  # also what only another patch release of this Python needs (Debian 12 has 3.11.2)
        if re.search(r"python_full_version < '\d+\.\d+\.[1-9]", line):
            _pip("download", "--quiet", "--no-deps", "--dest", str(folder), line.split(";")[0].strip())
    for archive in folder.glob("*.tar.gz"):  # sdists are built here, not in the closed network
        _pip("wheel", "--quiet", "--no-deps", "--wheel-dir", str(folder), str(archive))
        archive.unlink()


def _pack_chart(folder: Path) -> None:
    """The chart as a package like that of `helm package`; its links to deploy/ become files."""
    chart = ROOT / "helm" / "inkgate"
    text = (chart / "Chart.yaml").read_text()
    version = re.search(r"(?m)^version: (\S+)$", text)
    assert version
    with tarfile.open(folder / f"inkgate-{version.group(1)}.tgz", "w:gz", dereference=True) as tar:
        tar.add(chart, "inkgate", filter=lambda item: None if item.name.startswith("inkgate/ci") else item)


def _require_pinned_bases(chosen: list[str]) -> None:
    """Our images were built on a base that a digest names, which a tag does not. Raises Refused."""
    if os.environ.get(ALLOW_UNPINNED) == "1":
        return
    for image in chosen:
        if image.startswith("inkgate/"):
            base = (_inspect(image)["Config"]["Labels"] or {}).get(BASE_LABEL, "")
            if "@sha256:" not in base:
                raise Refused(
                    f"{image} was built on {base or 'an unknown base'}, which no digest names; build it with "
                    f"PYTHON_IMAGE=NAME@sha256:…, or allow it with {ALLOW_UNPINNED}=1"
                )


def _platform(chosen: list[str], wheels: bool) -> str:
    """The one platform of the images and of the wheels, which are for this machine. Raises Refused when they differ."""
    here = f"linux/{ARCHITECTURES.get(platform.machine(), platform.machine())}"
    found = {image: _platform_of(_inspect(image)) for image in chosen}
    several = set(found.values()) | ({here} if wheels or not chosen else set())
    if len(several) > 1:
        listed = ", ".join(f"{image} {each}" for image, each in found.items())
        raise Refused(
            f"a bundle is for one platform, and these are for {' and '.join(sorted(several))}: {listed}"
            f"{f'; the wheels are for {here}, --no-wheels leaves them out' if wheels else ''}"
        )
    return several.pop()


def _platform_of(image: dict[str, Any]) -> str:
    return f"{image['Os']}/{image['Architecture']}"


def _save_images(folder: Path, chosen: list[str]) -> None:
    """All images in one archive, so that a layer they share is in it once. Raises Refused."""
    folder.mkdir()
    found = {image: _inspect(image) for image in chosen}
    contents = {
        image: {
            "id": each["Id"],
            "digests": each["RepoDigests"],
            "platform": _platform_of(each),
            "base": (each["Config"]["Labels"] or {}).get(BASE_LABEL, ""),
        }
        for image, each in found.items()
    }
    (folder / CONTENTS).write_text(json.dumps(contents, indent=1) + "\n")
    print(f"{len(chosen)} images …")
    with (
        (folder / ARCHIVE).open("wb") as archive,
        subprocess.Popen(["docker", "save", *chosen], stdout=subprocess.PIPE) as saving,
    ):
        packed = subprocess.run(["gzip", "-1", "-n"], stdin=saving.stdout, stdout=archive)
    if saving.returncode or packed.returncode:
        raise Refused("docker save failed; is there room on the disk?")


def _inspect(image: str) -> dict[str, Any]:
    found: list[dict[str, Any]] = json.loads(_docker("image", "inspect", image))
    return found[0]


def _copy(source: Path, target: Path) -> None:
    if source.is_dir():
        shutil.copytree(source, target)
    else:
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(source, target)


def _digests(folder: Path) -> dict[str, str]:
    found = {}
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path.relative_to(folder).as_posix() not in (SUMS, SIGNATURE):
            with path.open("rb") as file:
                found[path.relative_to(folder).as_posix()] = hashlib.file_digest(file, "sha256").hexdigest()
    return found


def _pip(*arguments: str) -> None:
    _run([sys.executable, "-m", "pip", "--disable-pip-version-check", *arguments])


def _docker(*arguments: str) -> str:
    if not shutil.which("docker"):
        raise Refused("docker is not on PATH, and images cannot be handled without it")
    return _run(["docker", *arguments])


def _run(command: list[str]) -> str:
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise Refused(f"{' '.join(command[:4])} … failed:\n{(done.stderr or done.stdout).strip()[-2000:]}")
    return done.stdout


def _chosen(given: argparse.Namespace) -> list[str]:
    """The images that the options name; pulled, unless they are ours or --local says that the engine has them."""
    if not given.images:
        return []
    known = images()
    unknown = set(given.without) - set(known)
    if unknown:
        raise Refused(f"--without {' '.join(sorted(unknown))}: not in images.txt")
    chosen = [image for image in known if image not in given.without]
    for image in chosen:
        if not given.local and not image.startswith("inkgate/"):
            print(f"image {image} …")
            _docker("pull", *(["--platform", given.platform] if given.platform else []), image)
    return chosen


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("list", help="print images and wheels")
    making = commands.add_parser("bundle", help="fill an empty folder")
    making.add_argument("folder", type=Path)
    making.add_argument("--images", action="store_true", help="pull and save the images, too")
    making.add_argument("--platform", help="of the images to pull: linux/amd64 or linux/arm64 [default: this engine's]")
    making.add_argument("--local", action="store_true", help="take every image as this engine has it, pull none")
    making.add_argument(
        "--without", action="append", default=[], metavar="IMAGE", help="leave an image out; repeatable"
    )
    making.add_argument("--no-wheels", action="store_true", help="for containers only: leave the packages out")
    making.add_argument("--site", type=Path, help="the folder of the documentation site (make docs)")
    making.add_argument("--key", type=Path, help="sign with this private key (PEM)")
    checking = commands.add_parser("verify", help="check every file")
    checking.add_argument("folder", type=Path)
    loading = commands.add_parser("load", help="load the images, and push them into a registry")
    loading.add_argument("folder", type=Path)
    loading.add_argument("registry", nargs="?", default="")
    loading.add_argument("--engine", choices=("docker", "podman"), default="docker")
    for each in (checking, loading):
        each.add_argument("--key", type=Path, help="check the signature with this public key (PEM)")
    given = parser.parse_args()
    try:
        match given.command:
            case "list":
                list_all()
            case "bundle":
                bundle(given.folder, _chosen(given), not given.no_wheels, given.site, given.key)
            case "verify":
                verify(given.folder, given.key)
            case _:
                load(given.folder, given.registry, given.engine, given.key)
    except Refused as refused:
        sys.exit(f"airgap.py: {refused}")


if __name__ == "__main__":
    main()
