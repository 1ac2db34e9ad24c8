"""Child processes that end with their parent: new interpreters with inherited sockets, and their memory limit."""

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
_EXTRA_IMAGE_SHARE = 1 / 3  # of the memory for the first image; images do not all peak at the same time


def spawn(
    module: str,
    sockets: Sequence[socket.socket],
    arguments: Sequence[str] = (),
    extra_env: Mapping[str, str] | None = None,
    inherited: Sequence[int] = (),
) -> subprocess.Popen[bytes]:
    """Start `python -m module PARENT_PID FD… ARGUMENT…` in a process group of its own.

    A new interpreter instead of fork, because the caller may run an event loop and threads. The child imports the same
    package whatever the working directory holds (-P). Ctrl-C in a terminal reaches the parent only. The descriptors
    `inherited` keep their numbers and are no arguments.
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
        pass_fds=[*fds, *inherited],
        stdin=subprocess.DEVNULL,
        env=env,
        process_group=0,
    )


def die_with_parent(parent: int) -> None:
    """End this process when the parent ends: by prctl on Linux, elsewhere by end of file on the sockets."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        os._exit(1)  # the parent ended before prctl took effect


def usable_cores() -> int:
    """Number of cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def rss_mib() -> float:
    """Resident memory of this process in MiB; 0.0 without /proc."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except OSError:
        return 0.0
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def data_mib() -> float:
    """Private writable memory of this process in MiB, resident or not; 0.0 without /proc."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[5])
    except OSError:
        return 0.0
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def memory_for_images(image_mib: int, at_once: int) -> float:
    """MiB that `at_once` images may allocate together."""
    return image_mib * (1 + _EXTRA_IMAGE_SHARE * (at_once - 1))


def set_memory_limit(image_mib: int, at_once: int, growth_mib: int = 0) -> float:
    """Limit this process to `memory_for_images` above its present size and what it will take in the background. A
    worker calls this after warm-up; a process for isolated reading after loading its models, without a warm-up.

    Above the limit allocations fail, and with them the current image, not the process. RLIMIT_DATA counts private
    writable memory: neither libraries and mapped models nor the address space that CUDA reserves. Returns the limit in
    MiB; math.inf for `image_mib` 0 and on systems without that count.
    """
    memory_in_use = data_mib()
    if not image_mib or not memory_in_use:
        return math.inf
    limit = int((memory_in_use + growth_mib + memory_for_images(image_mib, at_once)) * 2**20)
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    if hard != resource.RLIM_INFINITY:
        limit = min(limit, hard)
    resource.setrlimit(resource.RLIMIT_DATA, (limit, hard))  # only the soft limit: a child may set a higher one
    return limit / 2**20
