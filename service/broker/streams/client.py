"""Redis clients for both sides, and the classification of their errors."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import redis
import redis.asyncio
from redis.asyncio.retry import Retry as AsyncRetry
from redis.backoff import ExponentialBackoff, NoBackoff
from redis.exceptions import (
    BusyLoadingError,
    ConnectionError,
    OutOfMemoryError,
    ReadOnlyError,
    ResponseError,
    TimeoutError,
)
from redis.retry import Retry

from inkgate.service.errors import ConfigurationError

TRANSIENT_ERRORS = (ConnectionError, TimeoutError, BusyLoadingError, ReadOnlyError, OSError)
"""Errors worth a retry: the server is unreachable, restarting, loading, or a replica about to be promoted."""

SETTING = "INKGATE_REDIS__URL"
_TLS_FILES = ("ssl_ca_certs", "ssl_certfile", "ssl_keyfile")
_CONNECT_SECONDS = 2.0
_READ_CHUNK_BYTES = 256 * 1024  # images are large: fewer, larger reads take a quarter less CPU
_RESPONSE_TIMEOUT_SECONDS = 5.0  # a 10 MiB payload on a slow network, and more than any blocking read


def blocking_client(url: str) -> redis.Redis:
    """A blocking client for one worker thread, with one connection and without retries, since the deadline decides.

    Raises ConfigurationError when the URL names a missing TLS file.
    """
    return redis.Redis.from_url(url, retry=Retry(NoBackoff(), 0), socket_read_size=_READ_CHUNK_BYTES, **_options(url))


def async_client(url: str, connections: int, *, retry_connect: bool = False) -> redis.asyncio.Redis:
    """An asyncio client with a limited connection pool; callers wait for a free connection.

    `retry_connect`: commands are retried for some seconds, long enough for a restart of the server.
    Raises ConfigurationError when the URL names a missing TLS file.
    """
    # redis-py also retries the connect within each try of a command: four times four tries, about three seconds.
    retry = AsyncRetry(ExponentialBackoff(cap=0.5, base=0.1), 3) if retry_connect else AsyncRetry(NoBackoff(), 0)
    pool = redis.asyncio.BlockingConnectionPool.from_url(
        url, max_connections=connections, timeout=_RESPONSE_TIMEOUT_SECONDS, retry=retry, **_options(url)
    )
    return redis.asyncio.Redis.from_pool(pool)  # the client's own: it closes the pool's connections with itself


def is_missing_group(error: ResponseError) -> bool:
    """Whether the consumer group or its stream is missing: a new or emptied server, perhaps during a blocking read."""
    return "NOGROUP" in str(error) or "UNBLOCKED" in str(error)


def is_out_of_memory(error: ResponseError) -> bool:
    """Whether the server has no memory for new data (`noeviction`)."""
    return isinstance(error, OutOfMemoryError) or "OOM" in str(error)


def _options(url: str) -> dict[str, Any]:
    return {
        **_tls(url),
        "protocol": 2,
        "socket_connect_timeout": _CONNECT_SECONDS,
        "socket_timeout": _RESPONSE_TIMEOUT_SECONDS,
        "socket_keepalive": True,
    }


def _tls(url: str) -> dict[str, Any]:
    """Check the TLS files of a `rediss://` URL and enable host name verification.

    redis-py verifies the host name by default only from release 6 on. A URL that sets ssl_check_hostname or
    ssl_cert_reqs overrides this.
    """
    parts = urlsplit(url)
    if parts.scheme != "rediss":
        return {}
    query = parse_qs(parts.query)
    for name in _TLS_FILES:
        if name in query and not Path(query[name][-1]).is_file():
            raise ConfigurationError(SETTING, f"{name}: no such file {query[name][-1]}", "Name a PEM file")
    return {} if query.keys() & {"ssl_check_hostname", "ssl_cert_reqs"} else {"ssl_check_hostname": True}
