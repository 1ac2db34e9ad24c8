"""0 or O, 1, I or l in codes, where the networks prefer the digit although the image shows the letter.

In typefaces of several widths the outline of 0 is .60 to .74 of its height wide, that of O .85 to 1.0 (Noto Sans and
Serif, DejaVu Sans and Serif, regular and bold). Probabilities alone do not tell them apart: among capitals a drawn 0
has up to .36 for O, and a drawn O as little as .001. An I read as 1 has .02 or more for I, a 1 below .001. Typefaces
of one width draw O as narrow as 0: there the digit stays.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from inkgate.engines.runtimes.interface import Tensor
from inkgate.engines.text.outlines import Outline, outline_at, outlines

_CONFUSABLE = "0O1Il"
_ROUND = {"0", "O"}
_TOKEN = re.compile("[0-9A-Za-z]+(?:[-_/][0-9A-Za-z]+)*")
_IS_CODE = re.compile("(?=.{4})(?=.*[0-9])(?=.*[A-Za-z])")
_MIN_WIDE, _MAX_WIDE = 0.77, 1.2  # width of the outline of O, in its heights
_MAX_NARROW = 0.74  # the same of 0
_MIN_CAPITAL_I, _MIN_SMALL_L = 0.02, 0.2  # probability from which a 1 is one of these
_MIN_BAR = 0.001  # probability of the other of I and l, which only the letters around a bar tell apart


def code_spans(characters: Sequence[str]) -> list[tuple[int, int]]:
    """Start and end of each token with both letters and digits."""
    text = "".join(characters)
    if len(text) != len(characters):
        return []
    return [token.span() for token in _TOKEN.finditer(text) if _IS_CODE.match(token.group())]


class CodeDecoder:
    """Decides 0 or O, 1, I or l in codes by the probabilities of a network with `charset` and by the image."""

    def __init__(self, charset: Sequence[str], stride: int) -> None:
        """`stride` is the number of pixels per column of probabilities."""
        self._classes = {each: charset.index(each) for each in _CONFUSABLE if each in charset}
        self._stride = stride

    def correct(
        self,
        characters: list[str],
        columns: NDArray[np.intp],
        probabilities: NDArray[np.float32],
        line: Tensor,
    ) -> None:
        """Replace characters of codes in place. `probabilities` (columns, classes) are of `line` (3, height, width)."""
        if len(self._classes) < len(_CONFUSABLE):
            return
        for start, end in code_spans(characters):
            code = "".join(characters[start:end])
            found = outlines(line, int(columns[start]), int(columns[end - 1]), self._stride) if _ROUND & {*code} else []
            for at in range(start, end):
                if characters[at] in "1Il":
                    likely = {each: float(probabilities[columns[at], k]) for each, k in self._classes.items()}
                    characters[at] = _bar(characters[at], likely, code)
                elif characters[at] in "0O":
                    characters[at] = _round(characters[at], float(columns[at]), found)


def _round(read: str, column: float, found: list[Outline]) -> str:
    """0 or O by its outline; as read where it has none of its own, or where all characters are narrow."""
    outline = outline_at(found, column)
    if outline is None:
        return read
    if read == "0":
        return "O" if _is_wide(outline) else read
    return "0" if outline.aspect <= _MAX_NARROW and any(map(_is_wide, found)) else read


def _is_wide(outline: Outline) -> bool:
    return _MIN_WIDE <= outline.aspect <= _MAX_WIDE


def _bar(read: str, likely: Mapping[str, float], code: str) -> str:
    """1, I or l by their probabilities, and where the image leaves doubt by the other letters of the code."""
    if read == "1":
        bar = max("Il", key=likely.__getitem__)
        read = bar if likely[bar] >= (_MIN_CAPITAL_I if bar == "I" else _MIN_SMALL_L) else read
    has_capitals, has_small = _has(code, "A", "Z"), _has(code, "a", "z")
    if read == "I" and likely["l"] >= _MIN_BAR and has_small and not has_capitals:
        return "l"
    if read == "l" and likely["I"] >= _MIN_BAR and has_capitals and not has_small:
        return "I"
    return read


def _has(code: str, first: str, last: str) -> bool:
    return any(first <= each <= last and each not in _CONFUSABLE for each in code)
