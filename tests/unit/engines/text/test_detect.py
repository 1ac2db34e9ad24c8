"""Boxes made of a probability map, and the margins that small images are given."""

import numpy as np
import pytest

from inkgate.engines.text.detect import DetectOptions, Detector, pad_with_edge_colour


def probability(*cores: tuple[int, int, int, int]) -> np.ndarray:
    """A map of (1, 1, 320, 640) that is 1 within each core (left, top, right, bottom), else 0."""
    found = np.zeros((1, 1, 320, 640), np.float32)
    for left, top, right, bottom in cores:
        found[0, 0, top:bottom, left:right] = 1
    return found


def boxes(*cores: tuple[int, int, int, int]) -> list[list[int]]:
    """Left, top, right and bottom of the boxes that are found, from the left."""
    detector = Detector(lambda _: probability(*cores), DetectOptions(short_side=320, long_side=2000))
    quads = np.array(detector(np.zeros((320, 640, 3), np.uint8)))
    return sorted(np.hstack((quads.min(axis=1), quads.max(axis=1))).round().astype(int).tolist())


def test_two_parts_of_one_line_are_one_box() -> None:
    line = (100, 100, 600, 140)
    assert boxes((76, 103, 92, 137), line) == boxes(line)


def test_a_line_within_a_large_frame_is_no_part_of_it() -> None:
    frame = ((30, 30, 600, 90), (30, 230, 600, 290), (30, 30, 90, 290), (540, 30, 600, 290))
    assert len(boxes(*frame, (120, 150, 480, 170))) == 2


@pytest.mark.parametrize(
    "other",
    [
        (100, 200, 600, 240),  # the next line
        (20, 110, 40, 130),  # beside it, too far off to be covered
        (300, 150, 306, 154),  # touching it, and much smaller: a note between the lines
    ],
)
def test_other_boxes_near_a_line_stay(other: tuple[int, int, int, int]) -> None:
    assert len(boxes((100, 100, 600, 140), other)) == 2


@pytest.mark.parametrize(
    ("height", "width", "margin"),
    [(40, 60, 20), (99, 700, 50), (99, 99, 50), (100, 799, 0), (736, 1000, 0)],
)
def test_fields_get_a_margin_on_all_sides(height: int, width: int, margin: int) -> None:
    image = np.full((height, width, 3), (10, 20, 30), np.uint8)
    padded, offset = pad_with_edge_colour(image)
    assert padded.shape == (height + 2 * margin, width + 2 * margin, 3)
    assert offset.tolist() == [margin, margin] and (padded == (10, 20, 30)).all()
