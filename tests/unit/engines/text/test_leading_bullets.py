"""Lines are extended to a bullet that stands alone before them."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from inkgate.engines.text.leading_bullets import extend_to_bullets
from inkgate.engines.types import Image, Quad

LINE: Quad = ((200.0, 50.0), (500.0, 50.0), (500.0, 90.0), (200.0, 90.0))


def page(*centres: tuple[int, int], radius: int = 10, paper: int = 250, ink: int = 20) -> Image:
    image = np.full((140, 600, 3), paper, np.uint8)
    for centre in centres:
        cv2.circle(image, centre, radius, (ink, ink, ink), -1)
    image[60:80, 205:495:7] = ink
    return image


def left(image: Image, quads: list[Quad]) -> float:
    return extend_to_bullets(image, quads)[0][0][0]


@pytest.mark.parametrize(("paper", "ink"), [(250, 20), (20, 250)])
def test_a_line_reaches_to_the_bullet_before_it(paper: int, ink: int) -> None:
    assert 155 <= left(page((175, 70), paper=paper, ink=ink), [LINE]) < 165


def test_a_ring_counts_as_well() -> None:
    image = page()
    cv2.circle(image, (175, 70), 10, (0, 0, 0), 2)
    assert left(image, [LINE]) < 165


@pytest.mark.parametrize(
    ("centres", "radius"),
    [
        ((), 10),  # nothing there
        (((175, 70), (140, 70)), 8),  # two: text
        (((175, 54),), 10),  # not at the line's height
        (((175, 70),), 3),  # a speck
        (((100, 70),), 10),  # too far
        (((175, 70),), 30),  # larger than the line
    ],
)
def test_other_ink_before_a_line_changes_nothing(centres: tuple[tuple[int, int], ...], radius: int) -> None:
    assert extend_to_bullets(page(*centres, radius=radius), [LINE]) == [LINE]


def test_a_sign_that_is_a_line_of_its_own_stays_so() -> None:
    other: Quad = ((160.0, 55.0), (190.0, 55.0), (190.0, 85.0), (160.0, 85.0))
    assert extend_to_bullets(page((175, 70)), [LINE, other]) == [LINE, other]


def test_a_line_at_the_edge_of_the_image_and_a_tall_one_stay() -> None:
    edge: Quad = ((0.0, 50.0), (300.0, 50.0), (300.0, 90.0), (0.0, 90.0))
    tall: Quad = ((200.0, 0.0), (230.0, 0.0), (230.0, 130.0), (200.0, 130.0))
    assert extend_to_bullets(page(), [edge, tall]) == [edge, tall]
