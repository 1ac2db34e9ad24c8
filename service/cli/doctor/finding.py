"""Findings of `inkgate doctor`."""

from __future__ import annotations

from dataclasses import dataclass

from inkgate.service.settings import without_passwords


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the report; `remedy` is empty if there is no problem."""

    what: str
    found: str
    remedy: str = ""


def redacted_location(url: str) -> str:
    """A URL without user, password and options. The password may contain unescaped characters such as `/`."""
    scheme, mark, rest = without_passwords(url).partition("?")[0].partition("://")
    return f"{scheme}{mark}{rest.rpartition('@')[2]}"


def clock_finding(what: str, skew: float, bound: float) -> Finding:
    """The finding for a clock that is `skew` seconds ahead of this machine; at most `bound` seconds are accepted."""
    if abs(skew) > bound:
        return Finding(
            what,
            f"{skew:+.1f} s off this machine's",
            "Synchronise both machines by NTP: signatures are "
            "checked by this clock, packs begin and end by the database's.",
        )
    return Finding(what, f"{skew:+.1f} s off this machine's")
