"""Child processes that never outlive their parent: fresh interpreters, bound to it, with their sockets passed on."""

from __future__ import annotations

import ctypes
import math
import os
import resource
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import inkgate

_PR_SET_PDEATHSIG = 1
_FURTHER_IMAGE = 1 / 3  # of the memory for the first image in hand; not all are at their most at once


def spawn(
    module: str,
    sockets: Sequence[socket.socket],
    arguments: Sequence[str] = (),
    extra_env: Mapping[str, str] | None = None,
) -> subprocess.Popen[bytes]:
    """Start `python -m module PARENT_PID FD… ARGUMENT…` in a process group of its own.

    A fresh interpreter and no fork: the caller may run an event loop and threads. The child finds this very package
    whatever the working directory holds (-P), and Ctrl-C in a terminal reaches the parent alone.
    """
    fds = [sock.fileno() for sock in sockets]
    root = str(Path(inkgate.__file__).parents[1])
    path = os.environ.get("PYTHONPATH")
    env = {
        **os.environ,
        "PYTHONPATH": root if not path else root + os.pathsep + path,
        "MALLOC_ARENA_MAX": os.environ.get("MALLOC_ARENA_MAX", "2"),
        **(extra_env or {}),
    }
    return subprocess.Popen(  # noqa: S603 - our own interpreter and module
        [sys.executable, "-P", "-m", module, str(os.getpid()), *map(str, fds), *arguments],
        pass_fds=fds,
        stdin=subprocess.DEVNULL,
        env=env,
        process_group=0,
    )


def bind_to_parent(parent: int) -> None:
    """Die with the parent, however it dies. Without Linux's prctl, the end of the sockets has to do."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        os._exit(1)  # it died before we were bound to it


def usable_cores() -> int:
    """Cores this process may run on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def rss_mib() -> float:
    """This process's resident memory in MiB; 0.0 where /proc does not tell."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except OSError:
        return 0.0
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def data_mib() -> float:
    """This process's writable memory of its own in MiB, resident or not; 0.0 where /proc does not tell."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[5])
    except OSError:
        return 0.0
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def memory_for_images(image_mib: int, at_once: int) -> float:
    """MiB that the images in hand may take together."""
    return image_mib * (1 + _FURTHER_IMAGE * (at_once - 1))


def limit_memory(image_mib: int, at_once: int) -> float:
    """Let this process take `memory_for_images` beyond what it holds now: a worker once warm, a process that reads
    one image alone with its models loaded and without a warm-up, which then comes off the image's part.

    Past it allocations fail, and with them the image in hand, not the process. RLIMIT_DATA counts what is writable and
    private: neither libraries and mapped models nor the address space that CUDA reserves. Returns the limit in MiB;
    math.inf where there is none: for 0, and where the system has no such count.
    """
    held = data_mib()
    if not image_mib or not held:
        return math.inf
    limit = int((held + memory_for_images(image_mib, at_once)) * 2**20)
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    if hard != resource.RLIM_INFINITY:
        limit = min(limit, hard)
    resource.setrlimit(resource.RLIMIT_DATA, (limit, hard))  # soft alone: a child sets its own, which may be higher
    return limit / 2**20
