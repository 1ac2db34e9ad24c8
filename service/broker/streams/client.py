"""Clients for both sides, and which of their errors mean what."""

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

OUT_OF_REACH = (ConnectionError, TimeoutError, BusyLoadingError, ReadOnlyError, OSError)
"""The server is gone, restarting, loading, or a replica that is about to take over: worth another try."""

SETTING = "INKGATE_REDIS__URL"
_TLS_FILES = ("ssl_ca_certs", "ssl_certfile", "ssl_keyfile")
_CONNECT_SECONDS = 2.0
_READ_BYTES = 256 * 1024  # pictures come in: fewer, larger reads cost a quarter less CPU
_ANSWER_SECONDS = 5.0  # a 10 MiB payload on a slow network, and more than any blocking read


def blocking(url: str) -> redis.Redis:
    """A worker's client: one thread, one connection. Retrying is the caller's, who knows the deadline.

    Raises ConfigurationError, as `on_loop` does, when the URL names a file for TLS that is not there.
    """
    return redis.Redis.from_url(url, retry=Retry(NoBackoff(), 0), socket_read_size=_READ_BYTES, **_options(url))


def on_loop(url: str, connections: int, *, patient: bool = False) -> redis.asyncio.Redis:
    """A gateway's client with a bounded pool; callers wait for a connection, never open one more.

    A `patient` one tries a command again for some seconds, long enough for the server to be restarted.
    """
    # The library tries to connect within each try of a command: four times four tries, some three seconds.
    retry = AsyncRetry(ExponentialBackoff(cap=0.5, base=0.1), 3) if patient else AsyncRetry(NoBackoff(), 0)
    pool = redis.asyncio.BlockingConnectionPool.from_url(
        url, max_connections=connections, timeout=_ANSWER_SECONDS, retry=retry, **_options(url)
    )
    return redis.asyncio.Redis.from_pool(pool)  # the client's own: it closes the pool's connections with itself


def lacks_group(error: ResponseError) -> bool:
    """The consumer group or its stream is gone: a fresh or emptied server, perhaps emptied while we were waiting."""
    return "NOGROUP" in str(error) or "UNBLOCKED" in str(error)


def is_full(error: ResponseError) -> bool:
    """The server has no memory left for new data (`noeviction`)."""
    return isinstance(error, OutOfMemoryError) or "OOM" in str(error)


def _options(url: str) -> dict[str, Any]:
    return {
        **_tls(url),
        "protocol": 2,
        "socket_connect_timeout": _CONNECT_SECONDS,
        "socket_timeout": _ANSWER_SECONDS,
        "socket_keepalive": True,
    }


def _tls(url: str) -> dict[str, Any]:
    """What `rediss://` needs besides the words in its query: files that exist, and a host name that is checked.

    The library looked at the host name from its release 6 on only; a certificate of the right CA for another host is no
    proof. A URL that says otherwise (ssl_check_hostname, ssl_cert_reqs) has its way.
    """
    parts = urlsplit(url)
    if parts.scheme != "rediss":
        return {}
    words = parse_qs(parts.query)
    for name in _TLS_FILES:
        if name in words and not Path(words[name][-1]).is_file():
            raise ConfigurationError(SETTING, f"{name}: no such file {words[name][-1]}", "Name a PEM file")
    return {} if words.keys() & {"ssl_check_hostname", "ssl_cert_reqs"} else {"ssl_check_hostname": True}
