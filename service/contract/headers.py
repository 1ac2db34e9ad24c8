"""Rules for repeated header lines, for every request header that the service reads (CONTRACT D8).

In HTTP a client or proxy may send a header name more than once. Programs that pick different lines of the same name
disagree about the request, so the choice is made only here. `Surface` is the part that reads the header:

    calls      the capabilities: a refused repeat is 10020
    console    the pages: a refused repeat is HTTP 400
    admin      the admin API: a refused repeat is HTTP 400
    pages      other routes of the gateway: probes, metrics, reference
    server     the HTTP server itself: a refused repeat is HTTP 400

A header without a rule is read only to check a signature that names it; its lines are joined.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

RawHeaders = Iterable[tuple[bytes, bytes]]


class Repeat(StrEnum):
    """The interpretation of several lines of one name."""

    JOINED = "joined"
    """One list, in the order of the lines (RFC 9110, 5.3)."""
    LAST = "last"
    """The last line: the one that the nearest proxy added."""
    REFUSED = "refused"
    """The request is refused, because no line can be trusted more than another."""


class Surface(StrEnum):
    """The part of the service that reads a header."""

    CALLS = "calls"
    CONSOLE = "console"
    ADMIN = "admin"
    PAGES = "pages"
    SERVER = "server"


@dataclass(frozen=True, slots=True)
class HeaderRule:
    """The rule for repeats of one header, and the surfaces that read it."""

    repeat: Repeat
    readers: tuple[Surface, ...]
    separator: bytes = b", "


_J, _L, _R = Repeat.JOINED, Repeat.LAST, Repeat.REFUSED
_CALLS, _CONSOLE, _ADMIN, _PAGES, _SERVER = Surface

TABLE: Mapping[str, HeaderRule] = {
    "eop-authorization": HeaderRule(_R, (_CALLS,)),
    "eop-date": HeaderRule(_R, (_CALLS,)),
    "ctyun-eop-request-id": HeaderRule(_R, (_CALLS, _PAGES)),
    "appkey": HeaderRule(_R, (_CALLS,)),
    "decrypted": HeaderRule(_R, (_CALLS,)),
    "x-inkgate-extras": HeaderRule(_L, (_CALLS,)),
    "content-encoding": HeaderRule(_J, (_CALLS,)),
    "x-forwarded-for": HeaderRule(_J, (_CALLS, _CONSOLE)),
    "traceparent": HeaderRule(_J, (_CALLS,)),  # joined it is invalid, so a new trace begins (W3C, 3.2)
    "expect": HeaderRule(_J, (_CALLS, _SERVER)),
    "transfer-encoding": HeaderRule(_J, (_CALLS, _SERVER)),
    "host": HeaderRule(_R, (_SERVER, _CONSOLE)),
    "content-length": HeaderRule(_R, (_SERVER, _CALLS, _CONSOLE)),
    "authorization": HeaderRule(_R, (_ADMIN,)),
    "content-type": HeaderRule(_L, (_ADMIN, _CONSOLE)),
    "accept": HeaderRule(_J, (_PAGES,)),
    "accept-encoding": HeaderRule(_J, (_CONSOLE,)),
    "accept-language": HeaderRule(_J, (_CONSOLE,)),
    "cookie": HeaderRule(_J, (_CONSOLE,), b"; "),
    "forwarded": HeaderRule(_J, (_CONSOLE,)),  # of this and the next two only the presence counts: a proxy exists
    "via": HeaderRule(_J, (_CONSOLE,)),
    "x-real-ip": HeaderRule(_J, (_CONSOLE,)),
    "x-forwarded-host": HeaderRule(_L, (_CONSOLE,)),
    "x-forwarded-proto": HeaderRule(_L, (_CONSOLE,)),
    "origin": HeaderRule(_R, (_CONSOLE,)),
    "sec-fetch-site": HeaderRule(_R, (_CONSOLE,)),
    "x-csrf-token": HeaderRule(_R, (_CONSOLE,)),
    "hx-request": HeaderRule(_L, (_CONSOLE,)),
    "x-poll": HeaderRule(_L, (_CONSOLE,)),
    "user-agent": HeaderRule(_L, (_CONSOLE,)),  # shown with the session
    "referer": HeaderRule(_L, (_CONSOLE,)),  # where to go on after a form, on this console alone
}


def refused_repeats(raw: RawHeaders, surface: Surface) -> tuple[str, ...]:
    """The names, in lower case, that are repeated in `raw` and whose repeats `surface` refuses."""
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


def merge_repeats(raw: RawHeaders) -> list[tuple[bytes, bytes]]:
    """`raw` with one line per name (in lower case), in the order of first occurrence. Of refused repeats the first line
    is kept: callers check `refused_repeats` before they read headers."""
    lines: dict[bytes, list[bytes]] = {}
    for name, value in raw:
        lines.setdefault(name.lower(), []).append(value)
    return [(name, values[0] if len(values) == 1 else _merged_value(name, values)) for name, values in lines.items()]


def _merged_value(name: bytes, values: list[bytes]) -> bytes:
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
