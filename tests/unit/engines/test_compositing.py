"""Transparent images get the background that shows their content."""

from __future__ import annotations

import numpy as np
import pytest

from inkgate.engines.compositing import BLACK, GREY, WHITE, composite


def strokes(*colours: tuple[int, int, int], dtype: type = np.uint8) -> np.ndarray:
    """BGRA (100, 200, 4): strokes three pixels wide, one colour after the other, on full transparency."""
    raw = np.zeros((100, 200, 4), dtype)
    scale = np.iinfo(dtype).max // 255
    for at, left in enumerate(range(10, 190, 12)):
        raw[10:90, left : left + 3] = [scale * value for value in (*colours[at % len(colours)], 255)]
    return raw


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize(
    ("colours", "background"),
    [
        ([(0, 0, 0)], WHITE),
        ([(40, 40, 200)], WHITE),  # red
        ([(200, 120, 20)], WHITE),  # blue
        ([(150, 150, 150)], WHITE),
        ([(255, 255, 255)], BLACK),
        ([(140, 236, 255)], BLACK),  # light yellow
        ([(225, 225, 225)], BLACK),
        ([(255, 255, 255), (0, 0, 0)], GREY),
    ],
)
def test_background_contrasts_with_the_strokes(
    colours: list[tuple[int, int, int]], background: int, dtype: type
) -> None:
    image = composite(strokes(*colours, dtype=dtype))
    assert image.dtype == np.uint8 and (image[0, 0] == background).all()
    assert (image[50, 11] == colours[0]).all()


def test_text_on_an_opaque_panel_does_not_count() -> None:
    raw = strokes((0, 0, 0))
    raw[20:80, 5:195, 3] = 255  # a panel below the strokes,
    raw[20:80, 5:195, :3] = 30
    raw[45:55, 40:160, :3] = 255  # and white text on it
    assert (composite(raw)[0, 0] == WHITE).all()


@pytest.mark.parametrize("alpha", [0, 255])
def test_wholly_transparent_and_wholly_opaque_images(alpha: int) -> None:
    raw = np.full((70, 40, 4), 250, np.uint8)
    raw[..., 3] = alpha
    assert (composite(raw) == (250 if alpha else WHITE)).all()


def test_half_transparent_pixels_are_blended() -> None:
    raw = strokes((0, 0, 0))
    raw[30:40, 100:110] = (0, 0, 0, 128)
    assert composite(raw)[35, 104].tolist() == [127, 127, 127]
