"""Line recognition: a CTC network over pixel columns.

Class 0 is the blank; then come the characters of the charset file, then one ASCII blank.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from inkgate.engines.runtimes.interface import RunNetwork, Tensor
from inkgate.engines.text.bigrams import BigramModel, is_low_confidence
from inkgate.engines.text.blanks import append_blanks
from inkgate.engines.text.codes import CodeDecoder
from inkgate.engines.text.marks import ROMAN, MarkDecoder, MarkThresholds, merge_parts, per_mille_places
from inkgate.engines.text.outlines import outline_at, outlines
from inkgate.engines.types import CharacterCandidates, Image

LINE_HEIGHT_PIXELS = 48  # pixels, fixed by the network
MIN_WIDTH = 160  # narrower crops are padded: below this the network was not trained and errs more
MAX_WIDTH = 3200
_L_INSIDE_WORD = 0.001  # min. probability of l for a 1 between lower-case letters or after an l
_L_AT_WORD_END = 0.05  # the same at the end of a word: many words end in 1 (step1)
_L_AT_WORD_START = 0.02  # the same before a vowel and two more letters (list, local), unlike units (1kg)
_WORD_IN_L = re.compile("[aeiou][a-z]{2}")
_FULL_STOPS = "，。"
_MIN_STOP_PROBABILITY = 0.002  # from which a middle dot is a full stop: nine real dots in ten are below it
_CORRECTED_SCORE = 0.25  # below all confidence thresholds, so that a corrected character is read again
_MIN_DIGIT_HEIGHT = 0.8  # of the digit before it that a 0 behind % has at least
_MAX_CANDIDATES = 16  # per character
STRIDE = 8  # pixels of a crop per column of scores


def load_charset(path: Path) -> list[str]:
    """The classes of the network in order, from a file with one character a line."""
    characters = path.read_text(encoding="utf-8").removesuffix("\n").split("\n")
    return ["", *characters, " "]


@dataclass(frozen=True, slots=True)
class Reading:
    """Characters of a line with the column (time step) where each begins and its probability there.

    A character may have a blank behind it (`blanks.append_blanks`).
    """

    characters: list[str]
    scores: NDArray[np.float32]
    columns: NDArray[np.intp]

    @property
    def text(self) -> str:
        """The characters joined."""
        return "".join(self.characters)

    @property
    def score(self) -> float:
        """The mean probability, 0 for an empty line."""
        return float(self.scores.mean()) if self.characters else 0.0


class Recogniser:
    """Recognises upright line crops one at a time: on a CPU a batch costs more than single lines.

    With `fixes_confusions` it corrects 1 to l and middle dots to full stops by their context; cards need both as they
    are, for numbers and names; likewise 0 to O and 1 to I in codes. With `bigrams` it rescores lines of low confidence.
    With `marks` it inserts marks and blanks that the network sees and drops.
    """

    def __init__(
        self,
        network: RunNetwork,
        charset: Sequence[str],
        *,
        fixes_confusions: bool = False,
        bigrams: BigramModel | None = None,
        marks: MarkThresholds | None = None,
    ) -> None:
        self.network = network
        self.charset = charset
        self._bigrams = bigrams
        self._marks = MarkDecoder(charset, marks) if marks is not None else None
        self._codes_decoder = CodeDecoder(charset, STRIDE) if fixes_confusions else None
        self._codes = np.array(
            [ord(character) if len(character) == 1 else 0 for character in (charset if bigrams else [])], np.int64
        )
        known = fixes_confusions and all(character in charset for character in ("l", *_FULL_STOPS))
        self._confusable_classes = [charset.index(character) for character in ("l", *_FULL_STOPS)] if known else []

    def __call__(self, crops: Sequence[Image]) -> list[tuple[str, float]]:
        """Text and mean character score of each crop (BGR uint8); ("", 0.0) where nothing was read."""
        readings = (self.recognise_line(to_tensor(crop)) for crop in crops)
        return [(reading.text, reading.score) for reading in readings]

    def candidates(self, crops: Sequence[Image]) -> list[CharacterCandidates]:
        """For each character of each crop the most likely characters with their probabilities, best first."""
        return [self._choices(self.network(pad_to_min_width(to_tensor(crop))[None])[0]) for crop in crops]

    def _choices(self, scores: NDArray[np.float32]) -> CharacterCandidates:
        columns = self.decode(scores).columns
        best = np.argsort(scores[columns], axis=1)[:, : -_MAX_CANDIDATES - 1 : -1]
        return [
            [(self.charset[k], float(scores[column, k])) for k in row if k]
            for column, row in zip(columns, best, strict=True)
        ]

    def recognise_line(self, line: Tensor) -> Reading:
        """The reading of one line of (3, 48, width)."""
        return self.decode(self.network(pad_to_min_width(line)[None])[0], line)

    def decode(self, scores: NDArray[np.float32], line: Tensor | None = None) -> Reading:
        """Greedy CTC decoding of (columns, classes) probabilities, then the corrections of the constructor.

        Codes are corrected where the `line` is given that the probabilities belong to.
        """
        best = scores.argmax(axis=1)
        reading = ctc_collapse(best, scores[np.arange(len(best)), best], self.charset)
        if self._bigrams is not None and is_low_confidence(reading.scores):
            candidate_scores = scores[reading.columns]
            candidate_scores[:, 0] = 0  # the blank is no candidate
            rescored = (self.charset[k] for k in self._bigrams.rescore(candidate_scores, self._codes))
            reading.characters[:] = [
                read if read in ROMAN else character  # 第二 is commoner than 第Ⅲ
                for read, character in zip(reading.characters, rescored, strict=True)
            ]
        if self._confusable_classes:
            l_scores, *stops = self._confusable_classes
            _resolve_one_or_l(reading, scores[:, l_scores])
            _resolve_dot_or_stop(reading, scores[:, stops])
        if self._codes_decoder is not None and line is not None:
            self._codes_decoder.correct(reading.characters, reading.columns, scores, line)
        return _with_marks(reading, scores, self._marks, line) if self._marks is not None else reading


def ctc_collapse(best: NDArray[np.int64], scores: NDArray[np.float32], charset: Sequence[str]) -> Reading:
    """The reading of a path: the best class of each column and its score, both of (columns,)."""
    keep = best != 0
    keep[1:] &= best[1:] != best[:-1]
    columns = np.flatnonzero(keep)
    return Reading([charset[k] for k in best[columns]], scores[columns], columns)


def _with_marks(reading: Reading, scores: NDArray[np.float32], marks: MarkDecoder, line: Tensor | None) -> Reading:
    """The reading with dropped marks and blanks inserted, and numerals and ‰ put together."""
    dropped = marks.dropped(scores, reading.characters, reading.columns)
    parts = list(zip(reading.columns.tolist(), reading.characters, reading.scores.tolist(), strict=True))
    if len(reading.text) == len(parts):
        for at in per_mille_places(reading.text):
            if line is None or not _is_digit_high(line, reading.columns, at + 1):
                parts[at : at + 2] = [(parts[at][0], "‰", min(parts[at][2], parts[at + 1][2]))]
    parts = merge_parts(sorted([*parts, *dropped]))
    if not parts:
        return reading
    columns, characters, values = zip(*parts, strict=True)
    restored = Reading(list(characters), np.array(values, np.float32), np.array(columns, np.intp))
    append_blanks(restored.characters, restored.columns, scores[:, -1])
    return restored


def _is_digit_high(line: Tensor, columns: NDArray[np.intp], at: int) -> bool:
    """Whether the 0 behind a % is as high as the digit before it, and not the last circle of ‰."""
    found = outlines(line, int(columns[at - 2]), int(columns[at]), STRIDE)
    zero, digit = outline_at(found, float(columns[at])), outline_at(found, float(columns[at - 2]))
    return zero is not None and digit is not None and zero.height >= _MIN_DIGIT_HEIGHT * digit.height


def _resolve_one_or_l(reading: Reading, l_scores: NDArray[np.float32]) -> None:
    """Replaces 1 by l within lower-case words when the probability of l is high enough.

    `l_scores` (columns,) are the probabilities of l. In many typefaces 1 and l look the same; only the context differs.
    """
    characters = reading.characters
    for run in re.finditer("1+", reading.text):
        at, end = run.span()
        before, after = characters[at - 1] if at else "", characters[end] if end < len(characters) else ""
        if before.isdigit() or after.isdigit():
            continue
        likely = l_scores[reading.columns[at:end]]
        if _is_lowercase_latin(before):
            if not _is_lowercase_latin(after) and before != "l" and likely.max() < _L_AT_WORD_END:
                continue
        elif end - at > 1 or not _WORD_IN_L.match(reading.text, end) or likely.max() < _L_AT_WORD_START:
            continue
        if likely.min() >= _L_INSIDE_WORD:
            characters[at:end] = "l" * (end - at)


def _resolve_dot_or_stop(reading: Reading, stops: NDArray[np.float32]) -> None:
    """Replaces middle dots within a line by the more likely full stop when its probability is high enough.

    `stops` (columns, stops) are the probabilities of `_FULL_STOPS`. In small print both are a speck, and full stops are
    a hundred times as common.
    """
    for at, character in enumerate(reading.characters):
        if at and character == "·":
            likely = stops[reading.columns[at]]
            if likely.max() >= _MIN_STOP_PROBABILITY:
                reading.characters[at] = _FULL_STOPS[int(likely.argmax())]
                reading.scores[at] = _CORRECTED_SCORE


def _is_lowercase_latin(character: str) -> bool:
    return len(character) == 1 and "a" <= character <= "z"


def to_tensor(crop: Image, horizontal_scale: float = 1.0) -> Tensor:
    """A crop as (3, 48, width) float32 in -1..1, its aspect ratio multiplied by `horizontal_scale`."""
    height, width = crop.shape[:2]
    wanted = min(max(math.ceil(horizontal_scale * LINE_HEIGHT_PIXELS * width / height), 1), MAX_WIDTH)
    planes = np.empty((3, LINE_HEIGHT_PIXELS, wanted), np.float32)
    for plane, channel in zip(planes, cv2.split(cv2.resize(crop, (wanted, LINE_HEIGHT_PIXELS))), strict=True):
        np.multiply(channel, np.float32(1 / 127.5), out=plane)
    planes -= 1
    return planes


def pad_to_min_width(line: Tensor) -> Tensor:
    """The line, zero-padded on the right to `MIN_WIDTH`, contiguous."""
    width = line.shape[2]
    if width >= MIN_WIDTH:
        return np.ascontiguousarray(line)
    out = np.zeros((3, LINE_HEIGHT_PIXELS, MIN_WIDTH), np.float32)
    out[:, :, :width] = line
    return out
