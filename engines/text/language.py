"""What usually follows what: pairs of Chinese characters, for lines too faint to be read sign by sign.

Where print is small and blurred the network still has the right character among its choices, and the characters beside
it tell which. Clear lines are left to the network, which then knows better than any dictionary.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

FAINT = 0.97  # mean score of a line below which its neighbours help to choose a character
_SHORTEST = 4  # characters: a shorter line says too little about itself
_CHOICES = 8  # of a column that are weighed
_LEAST = 1e-4  # score below which a class is no choice
_FLOOR = 1e-30  # what stands for no choice where logarithms are taken
FIRST, LAST = 0x3400, 0x9FFF  # Chinese characters
STEP = 0.05  # nepers of the table's whole numbers
MOST = 6.0  # nepers: no pair says more, for or against


class Pairs:
    """How much likelier a character is after another one than by itself, in nepers. 0 for what is not Chinese.

    The table (`tools/build_bigram_table.py`): `pairs`, uint32, code points of two characters (first << 16 | second),
    rising, with their `gains`; for all other pairs `ends` of the first and `starts` of the second, int8 by code point
    from U+3400: how readily a word ends and begins there.
    """

    def __init__(self, path: Path) -> None:
        """Raises OSError, ValueError or KeyError for a file that is no such table."""
        with np.load(path, allow_pickle=False) as table:
            self._pairs: NDArray[np.uint32] = table["pairs"]
            self._gains, self._ends, self._starts = (
                np.asarray(table[name], np.float32) * STEP for name in ("gains", "ends", "starts")
            )

    def gain(self, before: NDArray[np.int64], after: NDArray[np.int64]) -> NDArray[np.float32]:
        """The gain of each character of `after` behind each of `before`, code points that broadcast together."""
        first, second = np.broadcast_arrays(before, after)
        behind, chinese = _chinese(first), _chinese(second)
        gain = np.where(behind, self._ends[np.where(behind, first - FIRST, 0)], 0)
        gain = gain + self._starts[np.where(chinese, second - FIRST, 0)]
        keys = np.where(behind & chinese, first << 16 | second, 0).astype(np.uint32)
        at = np.minimum(np.searchsorted(self._pairs, keys), len(self._pairs) - 1)
        gain = np.where(self._pairs[at] == keys, self._gains[at], gain)
        return np.where(chinese, np.clip(gain, -MOST, MOST), 0).astype(np.float32)

    def choose(self, scores: NDArray[np.float32], codes: NDArray[np.int64]) -> NDArray[np.int64]:
        """The likeliest classes of a line: `scores` (characters, classes) as the network gives them, `codes` (classes,)
        the classes' code points, 0 for those that are not one character.

        Viterbi's way through the best few of each character, the network's and the pairs' say multiplied.
        """
        best = np.argpartition(scores, -_CHOICES, axis=1)[:, -_CHOICES:]
        likely = np.take_along_axis(scores, best, axis=1)
        choices = (likely >= _LEAST) | (likely == likely.max(1, keepdims=True))
        own, signs = np.log(np.where(choices, np.maximum(likely, _FLOOR), _FLOOR)), codes[best]
        gains = self.gain(signs[:-1, :, None], signs[1:, None, :])
        so_far = own[0] + self.gain(np.zeros(1, np.int64), signs[0])
        back = np.zeros((len(best), _CHOICES), np.intp)
        for at in range(1, len(best)):
            ways = so_far[:, None] + gains[at - 1]
            back[at] = ways.argmax(axis=0)
            so_far = ways.max(axis=0) + own[at]
        chosen = np.zeros(len(best), np.intp)
        chosen[-1] = so_far.argmax()
        for at in range(len(best) - 1, 0, -1):
            chosen[at - 1] = back[at, chosen[at]]
        return np.asarray(best[np.arange(len(best)), chosen], np.int64)


def faint(scores: NDArray[np.float32]) -> bool:
    """Whether a line with these scores of its characters is so faint that their neighbours should be heard."""
    return len(scores) >= _SHORTEST and float(scores.mean()) < FAINT


def _chinese(codes: NDArray[np.int64]) -> NDArray[np.bool_]:
    return (codes >= FIRST) & (codes <= LAST)
