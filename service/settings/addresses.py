"""Checks of hosts, ports and URLs in settings."""

from __future__ import annotations

from urllib.parse import SplitResult, urlsplit


def checked_address(address: str) -> str:
    """`address`. Raises ValueError for anything but HOST[:PORT] and nothing."""
    parts = split_url(f"//{address}") if address else None
    if parts is not None and (not parts.hostname or parts.netloc != address or parts.username is not None):
        raise ValueError(f"{address!r} is not HOST[:PORT]")
    return address


def split_url(url: str) -> SplitResult:
    """The parts of a URL. Raises ValueError when it cannot be parsed."""
    try:
        parts = urlsplit(url)
        _ = parts.port  # raises ValueError outside 0 to 65535
    except ValueError:
        raise ValueError("is not a URL with a valid host and port") from None
    return parts


def checked_proxy(url: str) -> str:
    """`url`. Raises ValueError for anything but an HTTP proxy and nothing."""
    parts = split_url(url) if url else None
    if parts is not None and (parts.scheme != "http" or not parts.hostname):
        raise ValueError("is not http://[USER:PASSWORD@]HOST:PORT")
    return url
