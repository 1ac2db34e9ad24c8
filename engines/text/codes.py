"""0 or O, 1, I or l in codes, where the networks prefer the digit although the image shows the letter.

In typefaces of several widths the outline of 0 is .60 to .74 of its height wide, that of O .85 to 1.0 (Noto Sans and
Serif, DejaVu Sans and Serif, regular and bold). Probabilities alone do not tell them apart: among capitals a drawn 0
has up to .36 for O, and a drawn O as little as .001. An I read as 1 has .02 or more for I, a 1 below .001. Typefaces
of one width draw O as narrow as 0: there the digit stays.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median

import numpy as np
from numpy.typing import NDArray

from inkgate.engines.runtimes.interface import Tensor
from inkgate.engines.text.outlines import Outline, outline_at, outlines

_CONFUSABLE = "0O1Il"
_ROUND = {"0", "O"}
_TOKEN = re.compile("[0-9A-Za-z]+(?:[-_/][0-9A-Za-z]+)*")
_IS_CODE = re.compile("(?=.{4})(?=.*[0-9])(?=.*[A-Za-z])(?=.*[0O1Il])")
_MIN_WIDE, _MAX_WIDE = 0.77, 1.2  # width of the outline of O, in its heights
_MAX_NARROW = 0.74  # the same of 0
_MIN_WIDER = 1.15  # times the width of other digits that O has
_MIN_OTHER = 0.0005  # probability of the other of 0 and O from which the outline counts
_MIN_OTHER_ALONE = 0.005  # the same in a code without other digits to compare
_MIN_CAPITAL_I, _MIN_SMALL_L = 0.02, 0.2  # probability from which a 1 is one of these
_MIN_BAR = 0.001  # probability of the other of I and l, which only the letters around a bar tell apart


def code_spans(characters: Sequence[str]) -> list[tuple[int, int]]:
    """Start and end of each token of letters and digits that has one of 0, O, 1, I and l."""
    text = "".join(character[:1] or " " for character in characters)
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
            shapes = _Shapes.of(code, columns[start:end], line, self._stride) if _ROUND & {*code} else None
            for at in range(start, end):
                if characters[at] in _CONFUSABLE:
                    likely = {each: float(probabilities[columns[at], k]) for each, k in self._classes.items()}
                    if shapes is not None and characters[at] in _ROUND:
                        characters[at] = shapes.decide(characters[at], likely, float(columns[at]))
                    else:
                        characters[at] = _bar(characters[at], likely, code)


@dataclass(frozen=True, slots=True)
class _Shapes:
    """The outlines of a code, and the median width by height of its digits 2 to 9, None where it has none.

    Digits of one typeface are about as wide as each other, however the image stretches them.
    """

    found: list[Outline]
    digit: float | None

    @classmethod
    def of(cls, code: str, columns: NDArray[np.intp], line: Tensor, stride: int) -> _Shapes:
        found = outlines(line, int(columns[0]), int(columns[-1]), stride)
        known = [outline_at(found, float(at)) for at, each in zip(columns, code, strict=True) if "2" <= each <= "9"]
        return cls(found, median(each.aspect for each in known if each) if any(known) else None)

    def decide(self, read: str, likely: Mapping[str, float], column: float) -> str:
        """0 or O by the outline; as read where it has none of its own, or where the network is certain."""
        outline = outline_at(self.found, column)
        least = _MIN_OTHER if self.digit is not None else _MIN_OTHER_ALONE
        if outline is None or likely["O" if read == "0" else "0"] < least:
            return read
        if read == "0":
            is_wide = max(_MIN_WIDE, _MIN_WIDER * (self.digit or 0)) <= outline.aspect <= _MAX_WIDE
            return "O" if is_wide else read
        proportional = any(_MIN_WIDE <= each.aspect <= _MAX_WIDE for each in self.found)
        return "0" if proportional and outline.aspect <= _MAX_NARROW else read


def _bar(read: str, likely: Mapping[str, float], code: str) -> str:
    """1, I or l by their probabilities, and where both are likely by the other letters of the code."""
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
