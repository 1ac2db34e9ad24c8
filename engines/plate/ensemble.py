"""Ensemble: a second network reads the same strip, and both likelihoods decide the text.

The two networks were trained on different images and err on different plates. Where they agree they are nearly always
right; where they differ, the weighted log likelihood of each text under both decides.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product

import cv2
import numpy as np
from numpy.typing import NDArray

from inkgate.engines.plate.decode import Reading, Scores, ctc_log_likelihoods, decode, forced_alignment
from inkgate.engines.plate.syntax import pattern_of
from inkgate.engines.types import Image

WIDTH, HEIGHT = 104, 32
PADDED = 320
"""Training width: strips were zero-padded to it."""
COMPUTED = 192
"""Of which the file computes this much: 40 pixels on from the strip nothing of it is seen any more. The columns from
there on are all alike: they are counted, not computed."""


_MAX_MIXED = 3  # most differing characters that are taken from either text one by one
_FIRST_READER_WEIGHT = 0.5  # weight of the first reader's likelihood beside the second's, which errs less


def to_tensor(strips: Sequence[Image]) -> NDArray[np.float32]:
    """BGR uint8 strips -> float32 (n, 3, HEIGHT, WIDTH) in -1..1."""
    small = [cv2.resize(strip, (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA) for strip in strips]
    return np.ascontiguousarray((np.stack(small).astype(np.float32) / 127.5 - 1).transpose(0, 3, 1, 2))


def combine(first: Scores, first_reading: Reading, second: Scores, green: float) -> Reading:
    """The reading of both recognisers for one strip. `first_reading` is the first one's reading of `first`; the time
    steps are the first's.

    A character on which both agree is wrong only when both are; one on which they differ is believed as far as both
    allow it (geometric mean).
    """
    other = decode(second, green)
    if other.text == first_reading.text:
        scores = tuple(1 - (1 - a) * (1 - b) for a, b in zip(first_reading.char_scores, other.char_scores, strict=True))
        return Reading(
            first_reading.text,
            first_reading.pattern,
            scores,
            max(first_reading.path_ratio, other.path_ratio),
            first_reading.spans,
        )
    text = _likeliest(first, second, _texts_between(first_reading.text, other.text))
    a, b = forced_alignment(first, text), forced_alignment(second, text)
    if a is None or b is None:
        return first_reading
    scores = tuple(_geometric_mean(x, y) for x, y in zip(a.char_scores, b.char_scores, strict=True))
    return Reading(text, a.pattern, scores, _geometric_mean(a.path_ratio, b.path_ratio), a.spans)


def _texts_between(one: str, other: str) -> list[str]:
    """Both texts; and, where they differ in a few characters, those valid ones that take each of these from either:
    one network may know the province, and the other the ending."""
    if len(one) != len(other):
        return [one, other]
    pairs = [(a,) if a == b else (a, b) for a, b in zip(one, other, strict=True)]
    if sum(len(pair) - 1 for pair in pairs) > _MAX_MIXED:
        return [one, other]
    return [text for text in ("".join(each) for each in product(*pairs)) if pattern_of(text)]


def _likeliest(first: Scores, second: Scores, texts: Sequence[str]) -> str:
    """The text of the highest likelihood under both recognisers."""
    found: dict[str, float] = {}
    for length in {len(text) for text in texts}:
        same = [text for text in texts if len(text) == length]
        sums = _FIRST_READER_WEIGHT * ctc_log_likelihoods(first, same) + ctc_log_likelihoods(second, same)
        found |= dict(zip(same, sums.tolist(), strict=True))
    return max(texts, key=lambda text: found[text])


def _geometric_mean(first: float, second: float) -> float:
    """Geometric mean of two probabilities, the first reader's with its weight."""
    share = _FIRST_READER_WEIGHT / (1 + _FIRST_READER_WEIGHT)
    return float(first**share * second ** (1 - share))
