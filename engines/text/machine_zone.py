"""Machine-readable zones of travel documents (ICAO Doc 9303, parts 4 to 7): two lines of 44 or 36, three of 30.

A zone has the letters A to Z, digits and the filler `<`, each field at a fixed place. Networks read the letter O of its
typeface as 0, and count long runs of fillers wrong. The fields say where a letter or a digit must stand, and the check
digits which of both a document number has. A zone whose check digits do not hold is left as it was read.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations

from inkgate.engines.types import Line

FILLER = "<"
_FORMS = str.maketrans(
    {**dict.fromkeys("く＜〈‹", "<"), **dict.fromkeys("«《≪", "<<"), **dict.fromkeys("|l", "I"), " ": None}
)
_TO_LETTER = str.maketrans("015826", "OISBZG")
_TO_DIGIT = str.maketrans("OQDISBZG", "00015826")
_SWAPS = {**dict(zip("01OI", "OI01", strict=True)), **dict(zip("58SB", "SB58", strict=True)), "2": "Z", "Z": "2"}
_NUMBER = re.compile("[A-Z]*[0-9]+<*")
_ZONE = re.compile("[A-Z0-9<]+")
_WEIGHTS = (7, 3, 1)
_MIN_FILLERS = 5  # in a line that is written as one of a zone
_MAX_ROWS = 3
_MAX_READ = 60  # characters of a line of a zone
_MAX_LENGTH_ERROR = 12  # fillers by which a line may differ from its length
_MAX_SWAPS = 2  # characters of a field that are decided by its check digit
_MAX_SWAPPABLE = 9  # characters of a field that may be swapped, a bound on the search

Span = tuple[int, int]


@dataclass(frozen=True, slots=True)
class _Row:
    """One line of a zone: which of its places hold letters or digits alone, and where fillers may be missing.

    `checks` are fields each with the place of its check digit; the fields are spans of the line.
    """

    letters: tuple[Span, ...]
    digits: tuple[Span, ...] = ()
    checks: tuple[tuple[Span, int], ...] = ()
    padded: Span | None = None  # None: fillers at the end


@dataclass(frozen=True, slots=True)
class _Format:
    """The lines of one kind of zone. `composite` spans, each with its line, have the check digit at `total`."""

    length: int
    starts: str
    rows: tuple[_Row, ...]
    composite: tuple[tuple[int, Span], ...] = ()
    total: tuple[int, int] | None = None


def _second_row(end: int, length: int, *checks: tuple[Span, int]) -> _Row:
    """The second of two lines: number, nationality, birth, sex, expiry; what is free up to `end`; check digits."""
    fields = (((0, 9), 9), ((13, 19), 19), ((21, 27), 27))
    digits = ((9, 10), (13, 20), (21, 28), (end, length))
    return _Row(((10, 13), (20, 21)), digits, (*fields, *checks), (28, end))


_DATES: tuple[Span, ...] = ((0, 6), (8, 14), (13, 19), (21, 27))
_COMPOSITE = ((1, (0, 10)), (1, (13, 20)))
_PASSPORT = _Format(
    44, "P", (_Row(((0, 44),)), _second_row(42, 44, ((28, 42), 42))), (*_COMPOSITE, (1, (21, 43))), (1, 43)
)
_WIDE_VISA = _Format(44, "V", (_Row(((0, 44),)), _second_row(44, 44)))
_NARROW_VISA = _Format(36, "V", (_Row(((0, 36),)), _second_row(36, 36)))
_WIDE_CARD = _Format(36, "IAC", (_Row(((0, 36),)), _second_row(35, 36)), (*_COMPOSITE, (1, (21, 35))), (1, 35))
_CARD = _Format(
    30,
    "IAC",
    (
        _Row(((0, 1), (2, 5)), ((14, 15),), (((5, 14), 14),), (15, 30)),
        _Row(((7, 8), (15, 18)), ((0, 7), (8, 15), (29, 30)), (((0, 6), 6), ((8, 14), 14)), (18, 29)),
        _Row(((0, 30),)),
    ),
    ((0, (5, 30)), (1, (0, 7)), (1, (8, 15)), (1, (18, 29))),
    (1, 29),
)
_FORMATS = (_PASSPORT, _WIDE_VISA, _NARROW_VISA, _WIDE_CARD, _CARD)


def is_zone_line(text: str) -> bool:
    """Whether a line is written as one of a zone, as far as that shows without the other lines."""
    plain = _normalised(text)
    return plain.count(FILLER) >= _MIN_FILLERS and _ZONE.fullmatch(plain) is not None


def correct_zones(lines: Sequence[Line]) -> list[Line]:
    """The lines of a page in reading order, those of machine-readable zones corrected by their format."""
    corrected = list(lines)
    if not any(FILLER in line.text.translate(_FORMS) for line in lines):
        return corrected
    texts = [_normalised(line.text) for line in lines]
    at = 0
    while at < len(lines):
        zone = _zone_at(texts[at : at + _MAX_ROWS])
        if zone is None and is_zone_line(texts[at]):
            zone = [texts[at]]
        for row, text in enumerate(zone or ()):
            corrected[at + row] = replace(corrected[at + row], text=text)
        at += len(zone) if zone else 1
    return corrected


def check_digit(field: str) -> int:
    """The check digit of a field (Doc 9303 part 3, 4.9): letters count from 10, fillers 0, weights 7, 3, 1."""
    values = (0 if each == FILLER else int(each, 36) for each in field)
    return sum(value * _WEIGHTS[at % 3] for at, value in enumerate(values)) % 10


def _normalised(text: str) -> str:
    return text.translate(_FORMS).upper()


def _zone_at(texts: Sequence[str]) -> list[str] | None:
    """The zone that begins with the first line, in the format whose second line is nearest in length."""
    if len(texts) < 2 or len(texts[0]) > _MAX_READ or FILLER not in texts[0]:
        return None
    nearest = sorted(_FORMATS, key=lambda form: abs(len(texts[1]) - form.length))
    return next(filter(None, (_as_zone(texts[: len(form.rows)], form) for form in nearest)), None)


def _as_zone(texts: Sequence[str], form: _Format) -> list[str] | None:
    """The lines as a zone of this format, None where they are none."""
    if len(texts) < len(form.rows) or texts[0][:1].translate(_TO_LETTER) not in form.starts:
        return None
    rows: list[str] = []
    for text, row in zip(texts, form.rows, strict=True):
        fitted = _fitted(text, row, form.length)
        if fitted is None:
            return None
        rows.append(fitted)
    right = [checked for checked in _with_checks(rows, form) if form.total is None or _is_total_right(checked, form)]
    if len(right) > 1:  # letters of a number come first
        right = [each for each in right if _NUMBER.fullmatch(_number(each, form))] or right
    if len(right) > 1:  # the numbers are open, all else is certain
        return rows
    return right[0] if right else None


def _number(rows: Sequence[str], form: _Format) -> str:
    """The document number: the first field with a check digit."""
    at, row = next((at, row) for at, row in enumerate(form.rows) if row.checks)
    (start, end), _ = row.checks[0]
    return rows[at][start:end]


def _fitted(text: str, row: _Row, length: int) -> str | None:
    """The line with its fillers counted right, and letters and digits where each must stand."""
    if _ZONE.fullmatch(text) is None or len(text) > length + _MAX_LENGTH_ERROR:
        return None
    if row.padded is None:
        if text.endswith(FILLER) or "<<<" in text:  # behind the name there are fillers alone
            text = re.split("<{3,}", text)[0].rstrip(FILLER).ljust(length, FILLER)
    elif length - _MAX_LENGTH_ERROR <= len(text) != length:
        text = _with_fillers(text, row.padded, length)
    if len(text) != length:
        return None
    for spans, table in ((row.letters, _TO_LETTER), (row.digits, _TO_DIGIT)):
        for start, end in spans:
            text = text[:start] + text[start:end].translate(table) + text[end:]
    return text


def _with_fillers(text: str, padded: Span, length: int) -> str:
    """The line with its longest run of fillers behind the start of `padded` made to fit; as it is where it has none."""
    missing = length - len(text)
    runs = [each for each in re.finditer("<+", text) if each.end() > padded[0]]
    longest = max(runs, key=lambda each: each.end() - each.start(), default=None)
    if longest is None or longest.end() - longest.start() + missing < 0:
        return text
    return text[: longest.start()] + FILLER * (longest.end() - longest.start() + missing) + text[longest.end() :]


def _with_checks(rows: Sequence[str], form: _Format) -> list[list[str]]:
    """Variants of the lines in which every check digit holds: those of the fewest changes in each field."""
    variants = [list(rows)]
    for number, row in enumerate(form.rows):
        for (start, end), place in row.checks:
            variants = [
                [*lines[:number], lines[number][:start] + field + lines[number][end:], *lines[number + 1 :]]
                for lines in variants
                for field in _fields(
                    lines[number][start:end], lines[number][place], swappable=(start, end) not in _DATES
                )
            ]
    return variants


def _fields(field: str, digit: str, *, swappable: bool) -> list[str]:
    """The field, or the fields nearest to it by similar characters, whose check digit is `digit`.

    A filler in the place of the check digit belongs to an empty field, or to a number that continues elsewhere.
    """
    if digit == FILLER or str(check_digit(field)) == digit:
        return [field]
    if not swappable:
        return []
    places = [at for at, each in enumerate(field) if each in _SWAPS][:_MAX_SWAPPABLE]
    for count in range(1, _MAX_SWAPS + 1):
        found = []
        for chosen in combinations(places, count):
            swapped = "".join(_SWAPS[each] if at in chosen else each for at, each in enumerate(field))
            if str(check_digit(swapped)) == digit:
                found.append(swapped)
        if found:
            return found
    return []


def _is_total_right(rows: Sequence[str], form: _Format) -> bool:
    line, place = form.total or (0, 0)
    joined = "".join(rows[number][start:end] for number, (start, end) in form.composite)
    return str(check_digit(joined)) == rows[line][place]
