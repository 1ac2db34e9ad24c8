"""Ensemble: a second network reads the same strip, and both likelihoods decide the text.

The two networks were trained on different images and err on different plates. Where they agree they are nearly always
right; where they differ, the weighted log likelihood of each text under both decides.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from inkgate.engines.plate.decode import Reading, Scores, ctc_log_likelihood, decode, forced_alignment
from inkgate.engines.types import Image

WIDTH, HEIGHT = 104, 32
PADDED = 320
"""Training width: strips were zero-padded to it."""
COMPUTED = 192
"""Of which the file computes this much: 40 pixels on from the strip nothing of it is seen any more. The columns from
there on are all alike: they are counted, not computed."""


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
    text = max(
        (first_reading.text, other.text),
        key=lambda t: _FIRST_READER_WEIGHT * ctc_log_likelihood(first, t) + ctc_log_likelihood(second, t),
    )
    a, b = forced_alignment(first, text), forced_alignment(second, text)
    if a is None or b is None:
        return first_reading
    scores = tuple(_geometric_mean(x, y) for x, y in zip(a.char_scores, b.char_scores, strict=True))
    return Reading(text, a.pattern, scores, _geometric_mean(a.path_ratio, b.path_ratio), a.spans)


def _geometric_mean(first: float, second: float) -> float:
    """Geometric mean of two probabilities, the first reader's with its weight."""
    share = _FIRST_READER_WEIGHT / (1 + _FIRST_READER_WEIGHT)
    return float(first**share * second ** (1 - share))
