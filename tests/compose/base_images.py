"""Images for a machine without a registry: Debian's own packages behind the names that compose.yaml and Dockerfile use.

    python -m tests.compose.base_images python         the base of our images: prints its tag
    python -m tests.compose.base_images python arm64   the same for ARM64, which needs qemu-user-static
    python -m tests.compose.base_images stores         nginx, Postgres, Valkey and Prometheus as compose names them

Each is made once and kept by the container engine. Python comes from Debian 12, Postgres and Valkey from Debian 13, and
nginx and Prometheus from Debian testing: compose.yaml needs newer ones than Debian 13 has.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from tests.compose.package_index import package_index
from tests.debian import debian

PREFIX = "debian.local/"
PYTHON = f"{PREFIX}python:3.11-bookworm"
_PACKAGES = {"trixie": ("postgresql-17", "valkey-server"), "forky": ("nginx-light", "prometheus")}
_SUITES = {
    "postgres:17": "trixie",
    "valkey/valkey:8": "trixie",
    "nginx:1.28-alpine": "forky",
    "prom/prometheus:v3.5.0": "forky",
}

# What the official images do beyond starting their program.
_POSTGRES_START = r"""#!/bin/sh
set -eu
export PATH=/usr/lib/postgresql/17/bin:$PATH PGDATA=/var/lib/postgresql/data
if [ "$(id -u)" = 0 ]; then
  install -d -o postgres -g postgres -m 0700 "$PGDATA" /var/run/postgresql
  exec setpriv --reuid=postgres --regid=postgres --init-groups "$0" "$@"
fi
if [ ! -s "$PGDATA/PG_VERSION" ]; then
  (umask 077 && printf '%s' "$POSTGRES_PASSWORD" > /tmp/password)
  initdb --username="$POSTGRES_USER" --pwfile=/tmp/password --auth-local=trust --auth-host=scram-sha-256
  rm /tmp/password
  echo 'host all all all scram-sha-256' >> "$PGDATA/pg_hba.conf"
  pg_ctl --silent --wait --options='-c listen_addresses=' start
  createdb --host=/var/run/postgresql --username="$POSTGRES_USER" "$POSTGRES_DB"
  pg_ctl --silent --wait --mode=fast stop
fi
exec postgres -c 'listen_addresses=*' "$@"
"""
_DOCKERFILES = {
    "postgres:17": """
COPY start /usr/local/bin/start
ENV PATH=/usr/lib/postgresql/17/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
VOLUME /var/lib/postgresql/data
STOPSIGNAL SIGINT
ENTRYPOINT ["start"]
""",
    "valkey/valkey:8": "",
    "nginx:1.28-alpine": """
STOPSIGNAL SIGQUIT
ENTRYPOINT ["nginx", "-e", "/dev/stderr", "-g", "daemon off;"]
""",
    "prom/prometheus:v3.5.0": """
RUN install -d -o 65534 -g 65534 /prometheus
USER 65534:65534
ENTRYPOINT ["prometheus"]
""",
}


def python(architecture: str = "") -> str:
    """The tag of a Debian 12 with its Python 3.11, which reaches the package index as this machine does."""
    tag = f"{PYTHON}-{architecture}" if architecture else PYTHON
    if not exists(tag):
        _import("bookworm", ("python3", "python3-venv", "ca-certificates"), tag, _add_package_index, architecture)
    return tag


def stores() -> str:
    """The prefix of the images that compose.yaml takes from a registry."""
    for suite, packages in _PACKAGES.items():
        if not exists(_stores(suite)):
            _import(suite, ("ca-certificates", *packages), _stores(suite))
    for name, lines in _DOCKERFILES.items():
        if not exists(PREFIX + name):
            with tempfile.TemporaryDirectory() as folder:
                start = Path(folder, "start")
                start.write_text(_POSTGRES_START)
                start.chmod(0o755)
                docker(
                    "build",
                    "--quiet",
                    "--tag",
                    PREFIX + name,
                    "--file",
                    "-",
                    folder,
                    text=f"FROM {_stores(_SUITES[name])}\n{lines}",
                )
    return PREFIX


def _stores(suite: str) -> str:
    return f"{PREFIX}stores:{suite}"


def exists(tag: str) -> bool:
    """Whether the engine has an image."""
    return subprocess.run(["docker", "image", "inspect", tag], capture_output=True).returncode == 0


def docker(*arguments: str, text: str | None = None) -> str:
    """The output of a docker command. Raises AssertionError with its error output when it fails."""
    done = subprocess.run(["docker", *arguments], input=text, capture_output=True, text=True)
    assert done.returncode == 0, f"docker {' '.join(arguments)}\n{done.stdout[-3000:]}{done.stderr[-3000:]}"
    return done.stdout


def _import(
    suite: str,
    packages: Sequence[str],
    tag: str,
    change: Callable[[Path], None] | None = None,
    architecture: str = "",
) -> None:
    """Import a fresh minimal Debian with `packages` under a tag."""
    with tempfile.TemporaryDirectory(dir="/var/tmp") as folder:
        root = debian(Path(folder, "root"), suite, packages, architecture)
        if change is not None:
            change(root)
        shutil.rmtree(root / "var/cache/apt/archives")
        if architecture:
            _load(root, Path(folder, "image"), tag, architecture)
            return
        tar = subprocess.Popen(["tar", "--create", "--directory", str(root), "."], stdout=subprocess.PIPE)
        subprocess.run(["docker", "import", "-", tag], stdin=tar.stdout, check=True, stdout=subprocess.DEVNULL)
        assert tar.wait() == 0


def _load(root: Path, image: Path, tag: str, architecture: str) -> None:
    """Load a root filesystem as an image of another architecture; `docker import` of Docker 20 would record its own."""
    image.mkdir()
    subprocess.run(["tar", "--create", "--file", str(image / "layer.tar"), "--directory", str(root), "."], check=True)
    with (image / "layer.tar").open("rb") as layer:
        digest = hashlib.file_digest(layer, "sha256").hexdigest()
    layers = {"type": "layers", "diff_ids": [f"sha256:{digest}"]}
    config = {"architecture": architecture, "os": "linux", "config": {}, "rootfs": layers}
    (image / "config.json").write_text(json.dumps(config))
    manifest = [{"Config": "config.json", "RepoTags": [tag], "Layers": ["layer.tar"]}]
    (image / "manifest.json").write_text(json.dumps(manifest))
    tar = subprocess.Popen(["tar", "--create", "--directory", str(image), "."], stdout=subprocess.PIPE)
    subprocess.run(["docker", "load"], stdin=tar.stdout, check=True, stdout=subprocess.DEVNULL)
    assert tar.wait() == 0


def _add_package_index(root: Path) -> None:
    options, files = package_index()
    lines = [
        f"{name.removeprefix('PIP_').lower().replace('_', '-')} = {value}"
        for name, value in options.items()
        if name.startswith("PIP_")
    ]
    (root / "etc/pip.conf").write_text("\n".join(["[global]", *lines, ""]))
    for name in files:
        shutil.copyfile(name, root / name.lstrip("/"))


if __name__ == "__main__":
    print({"python": python, "stores": stores}[sys.argv[1]](*sys.argv[2:]))
