"""Small marks that a recogniser sees and drops, or takes for others: stops, bullets, ‰.

CTC networks give such a mark a probability below that of the blank: an open diamond .2 to .7, a stop of vertical
writing .03 to .4, against less than .01 where there is none (drawn lines, `benchmarks/accuracy/field`). ‰ has at
most .006 at any column in either network; what they read is % and 0 (ADR 0023).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

BULLETS = "●○■□◆◇★☆▲△"
_STOP, _DEGREE = "。", "°"  # a stop that stands high is taken for °
_COMMA, _APOSTROPHE = "，", "’"  # a comma that stands high is taken for ’
ROMAN = "ⅠⅡⅢⅣⅤⅥⅦⅧⅨⅩⅪⅫ"
_ROMAN_PARTS = frozenset(f"{ROMAN}IVXl1|川二三")  # what else the strokes of one are read as
_MAX_PART_COLUMNS = 2  # between two characters that are parts of one
_MIN_COLUMNS_APART = 2  # from the columns of other characters: nearer ones are parts of them
_INSERTED_SCORE = 0.25  # at least, and below all confidence thresholds, so that the mark is read again
_PER_MILLE = re.compile(r"(?<=\d)%[0oO](?![0-9A-Za-z.%])")
_ENDS = {_STOP: _STOP, _DEGREE: _STOP, _COMMA: _COMMA, _APOSTROPHE: _COMMA}
_VERTICAL_FORMS = str.maketrans({"’": "，", "'": "，", "°": "。"})  # as marks of vertical writing are read


@dataclass(frozen=True, slots=True)
class MarkThresholds:
    """The probability from which a mark is inserted where the network prefers the blank."""

    stop: float = 0.03
    comma: float = 0.2
    bullet: float = 0.2


class MarkDecoder:
    """Finds dropped marks in the probabilities of a network with `charset`."""

    def __init__(self, charset: Sequence[str], thresholds: MarkThresholds) -> None:
        self._thresholds = thresholds
        places = {character: at for at, character in enumerate(charset)}
        self._bullets = [places[mark] for mark in BULLETS if mark in places]
        self._ends = [
            (mark, [places[form] for form in forms if form in places], limit)
            for mark, forms, limit in (
                (_STOP, (_STOP, _DEGREE), thresholds.stop),
                (_COMMA, (_COMMA, _APOSTROPHE), thresholds.comma),
            )
        ]
        self._charset = charset

    def dropped(
        self, scores: NDArray[np.float32], characters: Sequence[str], columns: NDArray[np.intp]
    ) -> list[tuple[int, str, float]]:
        """Column, character and score of each dropped mark, given (columns, classes) probabilities and the reading."""
        free = np.ones(len(scores), bool)
        for column in columns:
            free[max(column - _MIN_COLUMNS_APART + 1, 0) : column + _MIN_COLUMNS_APART] = False
        found = self._dropped_bullets(scores, free) if self._bullets else []
        if characters and _is_chinese(characters[-1]):
            found += self._dropped_end(scores, free, int(columns[-1]))
        return [(column, mark, max(score, _INSERTED_SCORE)) for column, mark, score in found]

    def _dropped_end(
        self, scores: NDArray[np.float32], free: NDArray[np.bool_], last: int
    ) -> list[tuple[int, str, float]]:
        """The stop or comma behind the last character, of which at most one was dropped."""
        for mark, classes, limit in self._ends:
            tail = np.where(free, scores[:, classes].sum(axis=1), 0)[last + 1 :]
            if len(tail) and tail.max() >= limit:
                return [(last + 1 + int(tail.argmax()), mark, float(tail.max()))]
        return []

    def _dropped_bullets(self, scores: NDArray[np.float32], free: NDArray[np.bool_]) -> list[tuple[int, str, float]]:
        likely = np.where(free[:, None], scores[:, self._bullets], 0)
        best = likely.max(axis=1)
        found: list[tuple[int, str, float]] = []
        for column in np.flatnonzero(best >= self._thresholds.bullet):
            mark = self._charset[self._bullets[int(likely[column].argmax())]]
            if found and column - found[-1][0] <= _MIN_COLUMNS_APART:  # one mark over several columns
                if best[column] > found[-1][2]:
                    found[-1] = (int(column), mark, float(best[column]))
            else:
                found.append((int(column), mark, float(best[column])))
        return found


def per_mille_places(text: str) -> list[int]:
    """Indices in `text` at which % and 0 stand for ‰, the last first."""
    return [match.start() for match in _PER_MILLE.finditer(text)][::-1]


def without_parts(parts: Sequence[tuple[int, str, float]]) -> list[tuple[int, str, float]]:
    """Characters (column, character, score) with each Roman numeral that was read as two or three in its place once."""
    kept: list[tuple[int, str, float]] = []
    for part in parts:
        if kept and _is_same_numeral(kept[-1], part):
            kept[-1] = max(kept[-1], part, key=lambda each: (each[1] in ROMAN, each[2]))
        else:
            kept.append(part)
    return kept


def _is_same_numeral(left: tuple[int, str, float], right: tuple[int, str, float]) -> bool:
    pair = {left[1], right[1]}
    return right[0] - left[0] <= _MAX_PART_COLUMNS and pair <= _ROMAN_PARTS and any(each in ROMAN for each in pair)


def with_end_mark(text: str, draft: str) -> str:
    """`text` with the stop or comma at the end of another reading of the line that differs in nothing else.

    An accurate network drops the stop of vertical writing, of which it has seen less, where a draft one reads it.
    """
    if draft[:-1] == text and text and _is_chinese(text[-1]) and draft[-1] in _ENDS:
        return text + _ENDS[draft[-1]]
    return text


def vertical_marks(text: str) -> str:
    """The text of a line of vertical writing with its commas and stops, which are read as apostrophes and degrees."""
    if sum(map(_is_chinese, text)) * 2 < len(text):
        return text
    return text.translate(_VERTICAL_FORMS)


def _is_chinese(character: str) -> bool:
    return len(character) == 1 and "㐀" <= character <= "鿿"
