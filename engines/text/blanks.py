"""Blanks between Chinese and digits or Latin letters, which recognisers see and drop.

Print sets a blank of a fifth to a half of a character's height there. Where one stands, the probability of the ASCII
blank between the two characters is .05 or more for 96 (accurate) and 71 (draft) in 100 gaps of a fifth, and for all but
6 in 100 of a quarter; where none stands it is below .002 (drawn gaps of three faces and three sizes, `benchmarks/
accuracy/field`). The networks prefer the CTC blank to it.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from inkgate.engines.text.marks import is_chinese

_MIN_PROBABILITY = 0.05
_BESIDE_CHINESE = frozenset("0123456789%ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz")


def append_blanks(characters: list[str], columns: NDArray[np.intp], blanks: NDArray[np.float32]) -> None:
    """Append each dropped blank to the character before it, in place.

    `blanks` (columns,) are the probabilities of the ASCII blank. Characters, their scores and columns stay as many as
    they were: a blank is no reason to read its neighbours again, and none to cut a line elsewhere.
    """
    for at in range(len(characters) - 1):
        if _is_boundary(characters[at], characters[at + 1]):
            gap = blanks[columns[at] + 1 : columns[at + 1]]
            if len(gap) and gap.max() >= _MIN_PROBABILITY:
                characters[at] += " "


def _is_boundary(before: str, after: str) -> bool:
    return (before in _BESIDE_CHINESE and is_chinese(after)) or (is_chinese(before) and after in _BESIDE_CHINESE)
