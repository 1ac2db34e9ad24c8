"""The number of connections that the limit on file descriptors allows."""

from __future__ import annotations

import sys

RESERVED_DESCRIPTORS = 256  # for the database, the queue, worker pipes and files
MAX_CONNECTIONS = 16_384  # more need several gateways behind a load balancer


def connections_allowed() -> int:
    """Raise the soft limit on descriptors as far as needed and allowed; return the number of connections that fit."""
    if sys.platform == "win32":
        return MAX_CONNECTIONS
    import resource

    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = MAX_CONNECTIONS + RESERVED_DESCRIPTORS
    wanted = most if hard == resource.RLIM_INFINITY else min(hard, most)
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    return max(64, wanted - RESERVED_DESCRIPTORS)
