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
_BULLET_FORMS = {"█": "■", "☐": "□"}  # other characters that are drawn the same
_BULLET_PARTS = frozenset("<>〈〉《》")  # what one half of a diamond is read as
_STOP, _DEGREE = "。", "°"  # a stop that stands high is taken for °
_COMMA, _APOSTROPHE = "，", "’"  # a comma that stands high is taken for ’
ROMAN = "ⅠⅡⅢⅣⅤⅥⅦⅧⅨⅩⅪⅫ"
_NUMERALS, _MARKS = frozenset(ROMAN), frozenset(BULLETS)
_ROMAN_PARTS = frozenset(f"{ROMAN}IVXl1|川二三")  # what else the strokes of one are read as
_MAX_PART_COLUMNS = 2  # between two characters that are parts of one
_MIN_COLUMNS_APART = 2  # from the columns of other characters: nearer ones are parts of them
_INSERTED_SCORE = 0.25  # at least, and below all confidence thresholds, so that the mark is read again
_PER_MILLE = re.compile(r"(?<=\d)%[0oO](?![0-9A-Za-z.%])")
_ENDS = {_STOP: _STOP, _DEGREE: _STOP, _COMMA: _COMMA, _APOSTROPHE: _COMMA}
_VERTICAL_FORMS = str.maketrans({"’": "，", "'": "，", "°": "。"})  # as marks of vertical writing are read

Part = tuple[int, str, float]  # column, character and score


@dataclass(frozen=True, slots=True)
class MarkThresholds:
    """The probability from which a mark is inserted where the network prefers the blank."""

    stop: float = 0.03
    comma: float = 0.2
    bullet: float = 0.03


class MarkDecoder:
    """Finds dropped marks in the probabilities of a network with `charset`."""

    def __init__(self, charset: Sequence[str], thresholds: MarkThresholds) -> None:
        self._thresholds = thresholds
        places = {character: at for at, character in enumerate(charset)}
        forms = {mark: [mark, *(form for form, same in _BULLET_FORMS.items() if same == mark)] for mark in BULLETS}
        self._bullets = {mark: [places[each] for each in forms[mark] if each in places] for mark in BULLETS}
        self._ends = [
            (mark, [places[form] for form in forms if form in places], limit)
            for mark, forms, limit in (
                (_STOP, (_STOP, _DEGREE), thresholds.stop),
                (_COMMA, (_COMMA, _APOSTROPHE), thresholds.comma),
            )
        ]

    def dropped(self, scores: NDArray[np.float32], characters: Sequence[str], columns: NDArray[np.intp]) -> list[Part]:
        """Each dropped mark, given (columns, classes) probabilities and the reading."""
        free = np.ones(len(scores), bool)
        for column in columns:
            free[max(column - _MIN_COLUMNS_APART + 1, 0) : column + _MIN_COLUMNS_APART] = False
        found = self._dropped_bullets(scores, free)
        if characters and is_chinese(characters[-1]):
            found += self._dropped_end(scores, free, int(columns[-1]))
        return [(column, mark, max(score, _INSERTED_SCORE)) for column, mark, score in found]

    def _dropped_end(self, scores: NDArray[np.float32], free: NDArray[np.bool_], last: int) -> list[Part]:
        """The stop or comma behind the last character, of which at most one was dropped."""
        for mark, classes, limit in self._ends:
            tail = np.where(free, scores[:, classes].sum(axis=1), 0)[last + 1 :]
            if len(tail) and tail.max() >= limit:
                return [(last + 1 + int(tail.argmax()), mark, float(tail.max()))]
        return []

    def _dropped_bullets(self, scores: NDArray[np.float32], free: NDArray[np.bool_]) -> list[Part]:
        likely = (
            np.stack([scores[:, classes].sum(axis=1) for classes in self._bullets.values()], axis=1) * free[:, None]
        )
        best = likely.max(axis=1)
        found: list[Part] = []
        for column in np.flatnonzero(best >= self._thresholds.bullet):
            mark = BULLETS[int(likely[column].argmax())]
            if found and column - found[-1][0] <= _MIN_COLUMNS_APART:  # one mark over several columns
                if best[column] > found[-1][2]:
                    found[-1] = (int(column), mark, float(best[column]))
            else:
                found.append((int(column), mark, float(best[column])))
        return found


def per_mille_places(text: str) -> list[int]:
    """Indices in `text` at which % and 0 stand for ‰, the last first."""
    return [match.start() for match in _PER_MILLE.finditer(text)][::-1]


def merge_parts(parts: Sequence[Part]) -> list[Part]:
    """The characters of a line, each mark or numeral that was read as two or three characters in its place once."""
    kept: list[Part] = []
    for column, character, score in parts:
        part = (column, _BULLET_FORMS.get(character, character), score)
        whole = _whole(kept[-1], part) if kept else None
        if whole is None:
            kept.append(part)
        else:
            kept[-1] = whole
    return kept


def _whole(left: Part, right: Part) -> Part | None:
    """The mark or numeral of which both are parts, None where they are two characters."""
    pair = {left[1], right[1]}
    if right[0] - left[0] > _MAX_PART_COLUMNS:
        return None
    if pair <= _ROMAN_PARTS and pair & _NUMERALS:
        return max(left, right, key=lambda each: (each[1] in _NUMERALS, each[2]))
    if pair & _BULLET_PARTS and pair & _MARKS:
        return left if left[1] in _MARKS else right
    return None


def with_draft_marks(text: str, draft: str) -> str:
    """`text` with the bullet at the beginning and the stop or comma at the end that only a draft reading of it has.

    An accurate network drops these more often than a draft one: marks of vertical writing, which it has seen less, and
    bullets at the beginning of a span of few characters.
    """
    if len(draft) > 2 and draft[0] in _MARKS and text.startswith(draft[1:3].rstrip()):
        text = draft[0] + text
    if len(draft) > 1 and text and is_chinese(text[-1]) and draft[-2:-1] == text[-1] and draft[-1] in _ENDS:
        text += _ENDS[draft[-1]]
    return text


def vertical_marks(text: str) -> str:
    """The text of a line of vertical writing with its commas and stops, which are read as apostrophes and degrees."""
    if sum(map(is_chinese, text)) * 2 < len(text):
        return text
    return text.translate(_VERTICAL_FORMS)


def is_chinese(character: str) -> bool:
    """Whether a text is one Chinese character of the Basic Multilingual Plane."""
    return len(character) == 1 and "㐀" <= character <= "鿿"
