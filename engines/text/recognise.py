"""What a line says: a network over columns of pixels, read out by connectionist temporal classification.

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
from inkgate.engines.text.language import Pairs, faint
from inkgate.engines.types import Choices, Image

HEIGHT = 48  # pixels, fixed by the network
MIN_WIDTH = 160  # narrower crops are padded: below this the network was not trained and errs more
MAX_WIDTH = 3200
_INSIDE = 0.001  # score of the letter l from which a one between small letters, or after another l, is it
_AT_END = 0.05  # the same where the word ends: many words end in a one (step1)
_AT_START = 0.02  # the same before a vowel and two letters more (list, local); what is counted begins otherwise (1kg)
_WORD_IN_L = re.compile("[aeiou][a-z]{2}")
_STOPS = "，。"
_STOP = 0.002  # score of a stop from which a middle dot within a line is one: nine real dots in ten are below it
_GUESS = 0.25  # the score it has then: below every doubt, so that what the quick network guessed is read again
_CHOICES = 16  # classes looked at behind the best one of a column
STRIDE = 8  # pixels of a crop per column of scores


def load_charset(path: Path) -> list[str]:
    """The classes of the network in order, from a file with one character a line."""
    characters = path.read_text(encoding="utf-8").removesuffix("\n").split("\n")
    return ["", *characters, " "]


@dataclass(frozen=True, slots=True)
class Reading:
    """Characters of a line, and the column of scores where each begins, with the probability of its likeliest class."""

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
    """Reads upright line crops, one at a time: on a CPU a batch costs more than its parts.

    In `prose` it takes a doubtful one for a letter and a doubtful dot for a stop where they stand as such; cards hold
    numbers, and names with dots. With `pairs` the characters of a faint line help to tell each other.
    """

    def __init__(
        self, network: RunNetwork, charset: Sequence[str], *, prose: bool = False, pairs: Pairs | None = None
    ) -> None:
        self.network = network
        self.charset = charset
        self._pairs = pairs
        self._codes = np.array([ord(sign) if len(sign) == 1 else 0 for sign in (charset if pairs else [])], np.int64)
        known = prose and all(sign in charset for sign in ("l", *_STOPS))
        self._looked_at = [charset.index(sign) for sign in ("l", *_STOPS)] if known else []

    def __call__(self, crops: Sequence[Image]) -> list[tuple[str, float]]:
        """Text and mean character score of each crop (BGR uint8); ("", 0.0) where nothing was read."""
        readings = (self.spell(tensor(crop)) for crop in crops)
        return [(reading.text, reading.score) for reading in readings]

    def candidates(self, crops: Sequence[Image]) -> list[Choices]:
        """For each character of each crop the likeliest characters with their probabilities, best first."""
        return [self._choices(self.network(padded(tensor(crop))[None])[0]) for crop in crops]

    def _choices(self, scores: NDArray[np.float32]) -> Choices:
        columns = self.decode(scores).columns
        best = np.argsort(scores[columns], axis=1)[:, : -_CHOICES - 1 : -1]
        return [
            [(self.charset[k], float(scores[column, k])) for k in row if k]
            for column, row in zip(columns, best, strict=True)
        ]

    def spell(self, line: Tensor) -> Reading:
        """The reading of one line of (3, 48, width)."""
        return self.decode(self.network(padded(line)[None])[0])

    def decode(self, scores: NDArray[np.float32]) -> Reading:
        """Best path over scores of (columns, classes): best class of each, repeats made one, blanks dropped."""
        best = scores.argmax(axis=1)
        reading = collapse(best, scores[np.arange(len(best)), best], self.charset)
        if self._pairs is not None and faint(reading.scores):
            told = scores[reading.columns]
            told[:, 0] = 0  # that something stands there is settled
            reading.characters[:] = [self.charset[k] for k in self._pairs.choose(told, self._codes)]
        if self._looked_at:
            letter, *stops = self._looked_at
            _strokes(reading, scores[:, letter])
            _dots(reading, scores[:, stops])
        return reading


def collapse(best: NDArray[np.int64], scores: NDArray[np.float32], charset: Sequence[str]) -> Reading:
    """The reading of a path: the best class of each column and its score, both of (columns,)."""
    keep = best != 0
    keep[1:] &= best[1:] != best[:-1]
    columns = np.flatnonzero(keep)
    return Reading([charset[k] for k in best[columns]], scores[columns], columns)


def _strokes(reading: Reading, letter: NDArray[np.float32]) -> None:
    """Ones within a word of small letters become the letter l, where its score (columns,) does not speak against it.

    In many typefaces the two are one stroke; only the word tells.
    """
    signs = reading.characters
    for run in re.finditer("1+", reading.text):
        at, end = run.span()
        before, after = signs[at - 1] if at else "", signs[end] if end < len(signs) else ""
        if before.isdigit() or after.isdigit():
            continue
        likely = letter[reading.columns[at:end]]
        if _small(before):
            if not _small(after) and before != "l" and likely.max() < _AT_END:
                continue
        elif end - at > 1 or not _WORD_IN_L.match(reading.text, end) or likely.max() < _AT_START:
            continue
        if likely.min() >= _INSIDE:
            signs[at:end] = "l" * (end - at)


def _dots(reading: Reading, stops: NDArray[np.float32]) -> None:
    """Middle dots within a line become the likelier stop, where the scores of `stops` (columns, stops) allow for one.

    Small print leaves the same speck of both, and stops are a hundred times as common.
    """
    for at, sign in enumerate(reading.characters):
        if at and sign == "·":
            likely = stops[reading.columns[at]]
            if likely.max() >= _STOP:
                reading.characters[at] = _STOPS[int(likely.argmax())]
                reading.scores[at] = _GUESS


def _small(sign: str) -> bool:
    return len(sign) == 1 and "a" <= sign <= "z"


def tensor(crop: Image, squeeze: float = 1.0) -> Tensor:
    """A crop as (3, 48, width) float32 in -1..1, its width `squeeze` times what its height asks for."""
    height, width = crop.shape[:2]
    wanted = min(max(math.ceil(squeeze * HEIGHT * width / height), 1), MAX_WIDTH)
    planes = np.empty((3, HEIGHT, wanted), np.float32)
    for plane, channel in zip(planes, cv2.split(cv2.resize(crop, (wanted, HEIGHT))), strict=True):
        np.multiply(channel, np.float32(1 / 127.5), out=plane)
    planes -= 1
    return planes


def padded(line: Tensor) -> Tensor:
    """The line with zeros to its right up to the least width, contiguous."""
    width = line.shape[2]
    if width >= MIN_WIDTH:
        return np.ascontiguousarray(line)
    out = np.zeros((3, HEIGHT, MIN_WIDTH), np.float32)
    out[:, :, :width] = line
    return out
