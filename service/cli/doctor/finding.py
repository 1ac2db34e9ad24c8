"""What the doctor finds."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the report; `remedy` is empty when all is well."""

    what: str
    found: str
    remedy: str = ""


def place(url: str) -> str:
    """A URL without its password and options."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.hostname or ''}{f':{parts.port}' if parts.port else ''}{parts.path}"


def clock(what: str, skew: float, bound: float) -> Finding:
    """A clock `skew` seconds ahead of this machine's, of which `bound` are bearable."""
    if abs(skew) > bound:
        return Finding(what, f"{skew:+.1f} s off this machine's", "Synchronise both machines by NTP: signatures are "
                       "checked by this clock, packs begin and end by the database's.")
    return Finding(what, f"{skew:+.1f} s off this machine's")
