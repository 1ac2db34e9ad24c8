"""Ensemble: a second network reads the same strip, and both likelihoods decide the text.

The two networks learnt from different images and err on different plates: where they say the same they are nearly
always right, and where they differ the likelihood of each text under both decides.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from inkgate.engines.plate.decode import Reading, Scores, decode, forced, likelihood
from inkgate.engines.types import Image

WIDTH, HEIGHT = 104, 32
PADDED = 320
"""The network was taught strips followed by zeros up to this width."""
COMPUTED = 192
"""Of which the file computes this much: 40 pixels on from the strip nothing of it is seen any more. The columns from
there on are all alike: they are counted, not computed."""


_FIRST = 0.5  # weight of the first reader's likelihood beside the second's, which errs less


def shrunk(strips: Sequence[Image]) -> NDArray[np.float32]:
    """BGR uint8 strips -> float32 (n, 3, HEIGHT, WIDTH) in -1..1."""
    small = [cv2.resize(strip, (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA) for strip in strips]
    return np.ascontiguousarray((np.stack(small).astype(np.float32) / 127.5 - 1).transpose(0, 3, 1, 2))


def settled(first: Scores, own: Reading, second: Scores, green: float) -> Reading:
    """What both readers together say of one strip. `own` is the first one's reading of `first`; the time steps are
    the first's.

    A character on which both agree is wrong only when both are; one on which they differ is believed as far as both
    allow it (geometric mean).
    """
    other = decode(second, green)
    if other.text == own.text:
        scores = tuple(1 - (1 - a) * (1 - b) for a, b in zip(own.char_scores, other.char_scores, strict=True))
        return Reading(own.text, own.pattern, scores, max(own.agreement, other.agreement), own.spans)
    text = max((own.text, other.text), key=lambda t: _FIRST * likelihood(first, t) + likelihood(second, t))
    a, b = forced(first, text), forced(second, text)
    if a is None or b is None:
        return own
    scores = tuple(_between(x, y) for x, y in zip(a.char_scores, b.char_scores, strict=True))
    return Reading(text, a.pattern, scores, _between(a.agreement, b.agreement), a.spans)


def _between(first: float, second: float) -> float:
    """Geometric mean of two probabilities, the first reader's with its weight."""
    share = _FIRST / (1 + _FIRST)
    return float(first**share * second ** (1 - share))
