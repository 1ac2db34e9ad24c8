"""Plate grammar and kinds by text and colour (GA 36-2018)."""

from __future__ import annotations

import re

from inkgate.engines.plate.alphabet import DIGITS, LETTERS, PROVINCES

IN_SCOPE = ("blue", "yellow", "green")
"""Kinds that the manual's 6.3.3 names: blue, single-row yellow, small new-energy green."""

_HEAD = f"[{PROVINCES}][{LETTERS}O]"
_ANY = f"[{LETTERS}{DIGITS}]"
_FEW = f"(?!(?:[{DIGITS}]*[{LETTERS}]){{3}})"  # of the serial's places at most two carry letters
_PATTERNS = {
    "seven": re.compile(f"{_HEAD}{_FEW}{_ANY}{{5}}"),
    "green": re.compile(f"{_HEAD}[A-HJK]{_ANY}[0-9]{{4}}"),
    "green_yellow": re.compile(f"{_HEAD}[0-9]{{5}}[A-HJK]"),
    "ending": re.compile(f"{_HEAD}{_FEW}{_ANY}{{4}}[学挂警港澳]"),
    "embassy": re.compile(f"使[0-9]{{6}}|[0-9]{{6}}使|[{PROVINCES}]{_ANY}{{5}}领|{_HEAD}{_ANY}{{4}}[使领]"),
}
_SEPARATORS = re.compile(r"[\s·.•・●:：\-—_,，'\"|]+")


def pattern_of(text: str) -> str | None:
    """The name of the pattern that the whole text follows, or None when no plate may carry it."""
    return next((name for name, pattern in _PATTERNS.items() if pattern.fullmatch(text)), None)


def normalise_plate_text(text: str) -> str:
    """A line of general reading as a plate would write it: bare, in capitals, digits for O and I after the head."""
    bare = _SEPARATORS.sub("", text).upper()
    return bare[:2] + bare[2:].replace("O", "0").replace("I", "1")


def plate_kind(text: str, colour: str, rows: int) -> str:
    """The kind of a plate: blue, yellow, green, yellow_double, green_yellow, black, white, or embassy."""
    pattern = pattern_of(text)
    if pattern in ("green", "green_yellow"):
        return pattern
    if pattern == "embassy" or text[-1:] in ("使", "领"):
        return "embassy"
    if text[-1:] in ("港", "澳"):
        return "black"
    if text[-1:] == "警":
        return "white"
    if rows == 2:
        return f"{colour}_double"
    if text[-1:] == "挂":
        return "yellow_double"
    if colour in ("green", "green_yellow", "none"):  # seven characters: green background colours carry eight
        return "blue"
    return colour
