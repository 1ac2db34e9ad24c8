"""Runs the lines of our Dockerfile without a container engine: a Debian root, overlays for stages, chroot for RUN.

It knows the instructions that our Dockerfile uses and refuses any other. The base image is not the Dockerfile's: it is
the same Debian release made by debootstrap, with Debian's own Python.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

PACKAGES = "python3,python3-venv,ca-certificates"
SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


@dataclass(frozen=True)
class Image:
    """What a stage ends as: its layers, the last first, and what a container of it starts with."""

    layers: tuple[Path, ...]
    env: dict[str, str] = field(default_factory=lambda: {"PATH": SYSTEM_PATH})
    user: str = "0:0"
    workdir: str = "/"
    entrypoint: tuple[str, ...] = ()
    command: tuple[str, ...] = ()


def instructions(dockerfile: str) -> Iterator[tuple[str, str]]:
    """(instruction, its arguments), comments gone and continued lines joined."""
    text = re.sub(r"(?m)^\s*#.*\n", "", dockerfile)
    for line in re.sub(r"\\\n\s*", "", text).splitlines():
        if line.strip():
            name, _, arguments = line.strip().partition(" ")
            yield name, arguments.strip()


def debian(folder: Path, *packages: str) -> Path:
    """A fresh Debian bookworm in `folder` with Python and more packages, from the mirror that debootstrap knows."""
    if not shutil.which("debootstrap"):
        raise AssertionError("debootstrap is missing; on Debian: apt-get install debootstrap")
    done = subprocess.run(
        ["debootstrap", "--variant=minbase", f"--include={','.join([PACKAGES, *packages])}", "bookworm", str(folder)],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    (folder / "dev" / "shm").mkdir(exist_ok=True)
    return folder


@contextmanager
def mounted(image: Image, work: Path, *, read_only: bool = False) -> Iterator[Path]:
    """The image's layers as one root with /proc; what is written to it stays in `work`/upper.

    Read-only means what it does in a container: a tmpfs on /tmp and on /dev/shm, and nothing else to write to.
    """
    root, upper, inner = work / "root", work / "upper", work / "inner"
    for path in (root, upper, inner):
        path.mkdir(parents=True, exist_ok=True)
    layers = f"lowerdir={':'.join(str(layer) for layer in image.layers)}"
    mounts = [
        ["-t", "overlay", "overlay", "-o", f"{layers},upperdir={upper},workdir={inner}", str(root)],
        ["-t", "proc", "proc", str(root / "proc")],
    ]
    if read_only:
        tmpfs = ["-t", "tmpfs", "-o", "size=64m,mode=1777", "tmpfs"]
        mounts += [[*tmpfs, str(root / "tmp")], [*tmpfs, str(root / "dev" / "shm")]]
        mounts.append(["-o", "remount,ro", str(root)])
    try:
        for mount in mounts:
            subprocess.run(["mount", *mount], check=True)
        yield root
    finally:
        subprocess.run(["umount", "--recursive", "--lazy", str(root)], check=False)


class Builder:
    """Builds stages of a Dockerfile, each once, into folders under `work`."""

    def __init__(self, dockerfile: Path, context: Path, base: Path, work: Path) -> None:
        self._context, self._work = context, work
        self._base = Image((base,))
        self._stages: dict[str, tuple[str, list[tuple[str, str]]]] = {}
        self._built: dict[str, Image] = {}
        arguments: dict[str, str] = {}
        for name, rest in instructions(dockerfile.read_text()):
            if name == "ARG":
                key, _, value = rest.partition("=")
                arguments[key] = value
            elif name == "FROM":
                source, _, stage = rest.partition(" AS ")
                for key in arguments:
                    source = source.replace(f"${{{key}}}", "")
                self._stages[stage] = (source, [])
            else:
                self._stages[stage][1].append((name, rest))

    def build(self, stage: str) -> Image:
        """The image of a stage. Raises AssertionError with the output of a RUN that fails."""
        if stage not in self._built:
            source, lines = self._stages[stage]
            below = self.build(source) if source else self._base
            work = self._work / stage
            image = replace(below, layers=(work / "upper", *below.layers))
            with mounted(below, work) as root:
                for name, rest in lines:
                    image = self._step(image, root, name, rest)
            self._built[stage] = image
        return self._built[stage]

    def _step(self, image: Image, root: Path, name: str, rest: str) -> Image:
        match name:
            case "WORKDIR":
                (root / rest.lstrip("/")).mkdir(parents=True, exist_ok=True)
                return replace(image, workdir=rest)
            case "ENV":
                pairs = dict(pair.split("=", 1) for pair in shlex.split(rest))
                for key, text in pairs.items():
                    pairs[key] = re.sub(r"\$(\w+)", lambda found: image.env[found[1]], text)
                return replace(image, env={**image.env, **pairs})
            case "USER":
                return replace(image, user=rest)
            case "ENTRYPOINT":
                return replace(image, entrypoint=tuple(words(rest)), command=())
            case "CMD":
                return replace(image, command=tuple(words(rest)))
            case "EXPOSE":
                return image
            case "COPY":
                self._copy(root, image.workdir, rest)
            case "RUN":
                run(root, image, rest)
            case _:
                raise AssertionError(f"the builder does not know {name}")
        return image

    def _copy(self, root: Path, workdir: str, rest: str) -> None:
        *sources, target = rest.split()
        place = root / os.path.join(workdir, target).lstrip("/")
        if sources[0].startswith("--from="):
            other = self.build(sources.pop(0).removeprefix("--from="))
            with mounted(other, self._work / "copy", read_only=True) as found:
                shutil.copytree(found / sources[0].lstrip("/"), place, symlinks=True)
            return
        for name in sources:
            source = self._context / name
            if source.is_dir():
                shutil.copytree(
                    source, place, symlinks=True, ignore=shutil.ignore_patterns("__pycache__"), dirs_exist_ok=True
                )
            else:
                inside = place / Path(name).name if target.endswith("/") else place
                inside.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(source, inside)


def words(text: str) -> list[str]:
    """The exec form of ENTRYPOINT and CMD."""
    return [part.strip().strip('"') for part in text.strip("[]").split(",")]


def run(root: Path, image: Image, line: str) -> None:
    """A RUN line by /bin/sh in the root, with this machine's way to the package index."""
    environment, places = package_index()
    binds = ["/etc/resolv.conf", *places]
    script = "set -e\n" + "".join(_bind(root, place) for place in binds) + 'exec chroot "$1" /bin/sh -c "$2"'
    done = subprocess.run(
        ["unshare", "--mount", "sh", "-c", script, "sh", str(root), f"cd {image.workdir} && {line}"],
        env={**image.env, **environment, "HOME": "/root"},
        capture_output=True,
        text=True,
        timeout=900,
    )
    assert done.returncode == 0, f"RUN {line}\n{done.stdout[-3000:]}{done.stderr[-3000:]}"


def _bind(root: Path, place: str) -> str:
    """Shell that shows a file or folder of this machine inside; it leaves nothing in the image but an empty place."""
    inside = root / place.lstrip("/")
    if not inside.exists():
        inside.parent.mkdir(parents=True, exist_ok=True)
        if Path(place).is_dir():
            inside.mkdir()
        else:
            inside.touch()
    return f"mount --bind {shlex.quote(place)} {shlex.quote(str(inside))}\n"


def package_index() -> tuple[dict[str, str], list[str]]:
    """How this machine reaches its package index, as pip's environment, and the certificate files that this names.

    Indexes in folders of this machine are left out: a build elsewhere would not have them.
    """
    listed = subprocess.run([sys.executable, "-m", "pip", "config", "list"], capture_output=True, text=True).stdout
    known = {"index-url", "cert", "trusted-host", "default-timeout", "timeout", "retries", "proxy"}
    found: dict[str, str] = {}
    for line in listed.splitlines():
        name, _, value = line.partition("=")
        option = name.rpartition(".")[2]
        if option in known:
            found.setdefault(f"PIP_{option.upper().replace('-', '_')}", value.strip("'"))
    found |= {key: value for key, value in os.environ.items() if key.lower().endswith("_proxy")}
    return found, [found["PIP_CERT"]] if "PIP_CERT" in found else []


def container(image: Image, root: Path, arguments: Sequence[str]) -> list[str]:
    """The command that runs the image as an orchestrator would: its user, no capability, no way to more."""
    user, _, group = image.user.partition(":")
    return [
        "chroot",
        str(root),
        "setpriv",
        "--reuid",
        user,
        "--regid",
        group,
        "--clear-groups",
        "--no-new-privs",
        "--inh-caps=-all",
        "--bounding-set=-all",
        "env",
        "-C",
        image.workdir,
        *image.entrypoint,
        *(arguments or image.command),
    ]
