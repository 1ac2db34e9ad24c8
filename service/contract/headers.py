"""What a repeated header line means, for every request header that the product reads (CONTRACT D8).

HTTP lets a client, or a proxy on the way, send a name more than once. Two programs that pick different lines of the
same name disagree about the request, so the choice is made here alone. `Surface` says who reads the header:

    calls      the capabilities: a refused repeat is 10020
    console    the pages: a refused repeat is HTTP 400
    admin      the admin API: a refused repeat is HTTP 400
    pages      what the gateway serves beside the calls: probes, metrics, reference
    server     the HTTP server itself, before any of them: a refused repeat is HTTP 400

A header without a row is read by nobody, except to check a signature that names it; its lines are joined.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

RawHeaders = Iterable[tuple[bytes, bytes]]


class Repeat(StrEnum):
    """What several lines of one name mean."""

    JOINED = "joined"
    """One list, in the order of the lines (RFC 9110, 5.3)."""
    LAST = "last"
    """The last line: the one that the nearest proxy added."""
    REFUSED = "refused"
    """The request is refused: no line is more credible than another."""


class Surface(StrEnum):
    """The part of the product that reads a header."""

    CALLS = "calls"
    CONSOLE = "console"
    ADMIN = "admin"
    PAGES = "pages"
    SERVER = "server"


@dataclass(frozen=True, slots=True)
class Row:
    """One header: what a repeat of it means to the surfaces that read it."""

    repeat: Repeat
    readers: tuple[Surface, ...]
    separator: bytes = b", "


_J, _L, _R = Repeat.JOINED, Repeat.LAST, Repeat.REFUSED
_CALLS, _CONSOLE, _ADMIN, _PAGES, _SERVER = Surface

TABLE: Mapping[str, Row] = {
    "eop-authorization": Row(_R, (_CALLS,)),
    "eop-date": Row(_R, (_CALLS,)),
    "ctyun-eop-request-id": Row(_R, (_CALLS, _PAGES)),
    "appkey": Row(_R, (_CALLS,)),
    "decrypted": Row(_R, (_CALLS,)),
    "x-inkgate-extras": Row(_L, (_CALLS,)),
    "content-encoding": Row(_J, (_CALLS,)),
    "x-forwarded-for": Row(_J, (_CALLS, _CONSOLE)),
    "traceparent": Row(_J, (_CALLS,)),  # two of them are no traceparent: a new trace begins (W3C, 3.2)
    "expect": Row(_J, (_CALLS, _SERVER)),
    "transfer-encoding": Row(_J, (_CALLS, _SERVER)),
    "host": Row(_R, (_SERVER, _CONSOLE)),
    "content-length": Row(_R, (_SERVER, _CALLS, _CONSOLE)),
    "authorization": Row(_R, (_ADMIN,)),
    "content-type": Row(_L, (_ADMIN, _CONSOLE)),
    "accept": Row(_J, (_PAGES,)),
    "accept-encoding": Row(_J, (_CONSOLE,)),
    "cookie": Row(_J, (_CONSOLE,), b"; "),
    "forwarded": Row(_J, (_CONSOLE,)),  # this and the next three: whether there is one says that a proxy is there
    "via": Row(_J, (_CONSOLE,)),
    "x-real-ip": Row(_J, (_CONSOLE,)),
    "x-forwarded-host": Row(_J, (_CONSOLE,)),
    "x-forwarded-proto": Row(_L, (_CONSOLE,)),
    "origin": Row(_R, (_CONSOLE,)),
    "sec-fetch-site": Row(_R, (_CONSOLE,)),
    "x-csrf-token": Row(_R, (_CONSOLE,)),
    "hx-request": Row(_L, (_CONSOLE,)),
    "x-poll": Row(_L, (_CONSOLE,)),
}


def repeated(raw: RawHeaders, surface: Surface) -> tuple[str, ...]:
    """The names, in lower case, that come more than once in `raw` and that `surface` refuses to read then."""
    seen, twice = set[bytes](), dict[str, None]()
    for name, _ in raw:
        lower = name.lower()
        if lower in seen and _refuses(lower.decode("latin-1"), surface):
            twice[lower.decode("latin-1")] = None
        seen.add(lower)
    return tuple(twice)


def _refuses(name: str, surface: Surface) -> bool:
    row = TABLE.get(name)
    return row is not None and row.repeat is Repeat.REFUSED and surface in row.readers


def one_line_each(raw: RawHeaders) -> list[tuple[bytes, bytes]]:
    """`raw` with one line a name (in lower case), in the order in which the names first came. Of lines that are
    refused the first one stays: whoever refuses them asks `repeated` before it reads any."""
    lines: dict[bytes, list[bytes]] = {}
    for name, value in raw:
        lines.setdefault(name.lower(), []).append(value)
    return [(name, values[0] if len(values) == 1 else _meaning(name, values)) for name, values in lines.items()]


def _meaning(name: bytes, values: list[bytes]) -> bytes:
    row = TABLE.get(name.decode("latin-1"))
    if row is None:
        return b", ".join(values)
    match row.repeat:
        case Repeat.JOINED:
            return row.separator.join(values)
        case Repeat.LAST:
            return values[-1]
        case Repeat.REFUSED:
            return values[0]
