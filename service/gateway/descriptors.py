"""How many connections this process can hold: each takes a file descriptor, and so does everything else."""

from __future__ import annotations

import sys

RESERVED = 256  # for the database, the queue, worker pipes and files
MOST = 16_384  # connections; more belong behind a proxy


def connections_allowed() -> int:
    """Raise this process's soft limit on descriptors to the hard one; the number of connections that fit."""
    if sys.platform == "win32":
        return MOST
    import resource

    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MOST + RESERVED if hard == resource.RLIM_INFINITY else min(hard, MOST + RESERVED)
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    return max(64, wanted - RESERVED)
