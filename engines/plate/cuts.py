"""Crops around a plate whose corners are uncertain."""

from __future__ import annotations

import numpy as np

from inkgate.engines.plate.detect import Corners

_TWO_ROW_ASPECT = 2.7  # width over height below which a plate may have two rows: one row has 3.1 or 3.4, two rows 2
_LENGTHENED_SHARE = 0.2  # of the width, to the left: the province and half a character, which the dark may hide


def crop_variants(corners: Corners) -> list[tuple[Corners, int]]:
    """The plate slightly scaled, shifted, lengthened, sheared, upside down, and as two rows where its aspect allows."""
    middle = corners.mean(0)
    along, down = (
        (corners[1] + corners[2] - corners[0] - corners[3]) / 2,
        (corners[2] + corners[3] - corners[0] - corners[1]) / 2,
    )
    cuts = [(np.asarray(middle + (corners - middle) * grow, np.float32), 1) for grow in (0.94, 1.07, 1.15)]
    cuts += [
        (np.asarray(corners + shift, np.float32), 1)
        for shift in (0.03 * along, -0.03 * along, 0.08 * down, -0.08 * down)
    ]
    longer = corners.copy()
    longer[[0, 3]] -= _LENGTHENED_SHARE * (corners[[1, 2]] - corners[[0, 3]])
    cuts.append((np.asarray(longer, np.float32), 1))
    for shear in (0.12 * down, -0.12 * down):
        cuts.append((np.asarray(corners + np.stack([shear, -shear, -shear, shear]), np.float32), 1))
    cuts.append((corners[[2, 3, 0, 1]], 1))
    if np.hypot(*along) < _TWO_ROW_ASPECT * np.hypot(*down):
        cuts.append((corners, 2))
    return cuts
