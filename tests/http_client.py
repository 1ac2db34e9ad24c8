"""HTTP clients of the tests for services on this machine."""

from __future__ import annotations

from typing import Any

import httpx


def local_client(**options: Any) -> httpx.AsyncClient:
    """A client for plain HTTP on the loopback interface, without proxies of the environment.

    `verify=False` spares the certificates of public authorities: reading them takes 34 ms of CPU time for each client,
    and a test that polls a service makes one client after the other.
    """
    return httpx.AsyncClient(verify=False, trust_env=False, **options)
