"""What the doctor finds."""

from __future__ import annotations

from dataclasses import dataclass

from inkgate.service.settings import without_passwords


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the report; `remedy` is empty when all is well."""

    what: str
    found: str
    remedy: str = ""


def place(url: str) -> str:
    """A URL without user, password and options; a password may hold what a URL should not have bare, as `/`."""
    scheme, mark, rest = without_passwords(url).partition("?")[0].partition("://")
    return f"{scheme}{mark}{rest.rpartition('@')[2]}"


def clock(what: str, skew: float, bound: float) -> Finding:
    """A clock `skew` seconds ahead of this machine's, of which `bound` are bearable."""
    if abs(skew) > bound:
        return Finding(
            what,
            f"{skew:+.1f} s off this machine's",
            "Synchronise both machines by NTP: signatures are "
            "checked by this clock, packs begin and end by the database's.",
        )
    return Finding(what, f"{skew:+.1f} s off this machine's")
