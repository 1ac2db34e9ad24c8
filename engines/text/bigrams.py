"""Character bigrams of Chinese, to rescore lines of low confidence.

In small or blurred print the right character is usually among the network's candidates, and its neighbours decide which
one it is. Lines of high confidence are not rescored: there the network is more accurate than any dictionary.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

RESCORE_BELOW_SCORE = 0.97  # mean score of a line
_MIN_CHARACTERS = 4  # shorter lines have too little context
_MAX_CANDIDATES = 8  # per character
_MIN_PROBABILITY = 1e-4  # a class below it is no candidate
_LOG_FLOOR = 1e-30  # probability of a class that is no candidate, before taking logarithms
FIRST_CODE_POINT, LAST_CODE_POINT = 0x3400, 0x9FFF  # Chinese characters
QUANTISATION_STEP_NEPERS = 0.05  # of the int8 values of the table
MAX_LOG_RATIO_NEPERS = 6.0  # log ratios are clipped to ±this


class BigramModel:
    """How much more likely a character is after another one than by itself, in nepers. 0 for what is not Chinese.

    The table (`tools/build_bigram_table.py`): `pairs`, uint32, code points of two characters (first << 16 | second),
    rising, with their `gains`; for all other pairs `ends` of the first and `starts` of the second, int8 by code point
    from U+3400: how readily a word ends and begins there.
    """

    def __init__(self, path: Path) -> None:
        """Raises OSError, ValueError or KeyError for a file that is no such table."""
        with np.load(path, allow_pickle=False) as table:
            self._pairs: NDArray[np.uint32] = table["pairs"]
            self._gains, self._ends, self._starts = (
                np.asarray(table[name], np.float32) * QUANTISATION_STEP_NEPERS for name in ("gains", "ends", "starts")
            )

    def gain(self, before: NDArray[np.int64], after: NDArray[np.int64]) -> NDArray[np.float32]:
        """The gain of each character of `after` behind each of `before`, code points that broadcast together."""
        first, second = np.broadcast_arrays(before, after)
        behind, chinese = _chinese(first), _chinese(second)
        gain = np.where(behind, self._ends[np.where(behind, first - FIRST_CODE_POINT, 0)], 0)
        gain = gain + self._starts[np.where(chinese, second - FIRST_CODE_POINT, 0)]
        keys = np.where(behind & chinese, first << 16 | second, 0).astype(np.uint32)
        at = np.minimum(np.searchsorted(self._pairs, keys), len(self._pairs) - 1)
        gain = np.where(self._pairs[at] == keys, self._gains[at], gain)
        return np.where(chinese, np.clip(gain, -MAX_LOG_RATIO_NEPERS, MAX_LOG_RATIO_NEPERS), 0).astype(np.float32)

    def rescore(self, scores: NDArray[np.float32], codes: NDArray[np.int64]) -> NDArray[np.int64]:
        """Rescores a line by Viterbi over the most likely classes of each character; returns a class per character.

        `scores` (characters, classes) are probabilities of the network, `codes` (classes,) the code points of the
        classes, 0 for a class that is not one character. A path's score is the product of probabilities and ratios.
        """
        best = np.argpartition(scores, -_MAX_CANDIDATES, axis=1)[:, -_MAX_CANDIDATES:]
        likely = np.take_along_axis(scores, best, axis=1)
        choices = (likely >= _MIN_PROBABILITY) | (likely == likely.max(1, keepdims=True))
        own, code_points = np.log(np.where(choices, np.maximum(likely, _LOG_FLOOR), _LOG_FLOOR)), codes[best]
        gains = self.gain(code_points[:-1, :, None], code_points[1:, None, :])
        path_scores = own[0] + self.gain(np.zeros(1, np.int64), code_points[0])
        back = np.zeros((len(best), _MAX_CANDIDATES), np.intp)
        for at in range(1, len(best)):
            transitions = path_scores[:, None] + gains[at - 1]
            back[at] = transitions.argmax(axis=0)
            path_scores = transitions.max(axis=0) + own[at]
        chosen = np.zeros(len(best), np.intp)
        chosen[-1] = path_scores.argmax()
        for at in range(len(best) - 1, 0, -1):
            chosen[at - 1] = back[at, chosen[at]]
        return np.asarray(best[np.arange(len(best)), chosen], np.int64)


def is_low_confidence(scores: NDArray[np.float32]) -> bool:
    """Whether a line with these character scores is rescored with bigrams."""
    return len(scores) >= _MIN_CHARACTERS and float(scores.mean()) < RESCORE_BELOW_SCORE


def _chinese(codes: NDArray[np.int64]) -> NDArray[np.bool_]:
    return (codes >= FIRST_CODE_POINT) & (codes <= LAST_CODE_POINT)
