"""Seals are found by their shape and removed; lines below them are read again, and red print stays."""

from __future__ import annotations

import cv2
import numpy as np

from inkgate.engines.seals import find_seals, remove_seals
from inkgate.engines.text.under_seals import merge, touches
from inkgate.engines.types import Line, Quad

RED = (45, 40, 210)


def page(ink: tuple[int, int, int] = RED) -> np.ndarray:
    """BGR (400, 700, 3): black bars as print, and a ring with a star-like cross over some of them."""
    print_, seal = np.full((400, 700, 3), 250, np.uint8), np.full((400, 700, 3), 255, np.uint8)
    for top in range(40, 360, 60):
        for left in range(40, 640, 14):
            cv2.rectangle(print_, (left, top), (left + 4, top + 24), (30, 30, 30), -1)
    cv2.circle(seal, (300, 200), 110, ink, 6)
    cv2.line(seal, (260, 200), (340, 200), ink, 14)
    return np.asarray(print_.astype(np.uint16) * seal // 255, np.uint8)


def test_a_seal_is_found_once_its_ring_is_crossed_by_print() -> None:
    left, top, right, bottom = find_seals(page())[0]
    assert np.allclose((left, top, right, bottom), (187, 87, 413, 313), atol=8)


def test_what_is_no_seal() -> None:
    assert len(find_seals(page(ink=(210, 40, 45)))) == 0  # blue
    lines = np.full((400, 700, 3), 250, np.uint8)
    for top in (50, 120, 190):
        cv2.putText(lines, "RED PRINT OF ONE LINE", (30, top), cv2.FONT_HERSHEY_SIMPLEX, 1.2, RED, 3)
    assert len(find_seals(lines)) == 0
    lines[:] = RED  # a red table
    assert len(find_seals(lines)) == 0


def test_print_below_the_seal_stays_and_paper_becomes_white() -> None:
    image = page()
    clean = remove_seals(image, find_seals(image))
    assert clean[198, 326].min() >= 235 and clean[88, 299].min() >= 235  # cross and ring, on paper
    print_ = image.max(axis=2) < 60
    assert clean.max(axis=2)[print_].max() < 80
    assert np.array_equal(clean[:, 450:], image[:, 450:])


def box(left: float, top: float, right: float, bottom: float) -> Quad:
    return ((left, top), (right, top), (right, bottom), (left, bottom))


def texts(lines: list[Line]) -> set[str]:
    return {line.text for line in lines}


def test_split_lines_are_replaced_by_the_whole_one() -> None:
    lines = [Line(box(0, 0, 80, 20), "意见：", 0.99), Line(box(70, 0, 200, 20), "：同意付款", 0.9)]
    assert texts(merge(lines, [Line(box(0, 1, 200, 19), "意见：同意付款", 0.98)])) == {"意见：同意付款"}


def test_a_worse_reading_is_not_taken() -> None:
    lines = [Line(box(0, 0, 200, 20), "意见：同意付款", 0.99)]
    assert texts(merge(lines, [Line(box(0, 1, 200, 19), "意见：回意付款", 0.8)])) == {"意见：同意付款"}
    assert texts(merge(lines, [Line(box(0, 1, 90, 19), "意见", 1.0)])) == {"意见：同意付款"}


def test_a_hidden_line_is_added_and_red_print_kept() -> None:
    red = Line(box(0, 40, 100, 60), "专用章", 0.95)
    hidden, noise = Line(box(0, 0, 200, 20), "日期：五月", 0.97), Line(box(0, 80, 30, 95), "丨", 0.6)
    assert texts(merge([red], [hidden, noise])) == {"专用章", "日期：五月"}


def test_which_lines_a_seal_touches() -> None:
    seals = np.array([[100, 100, 200, 200]], np.float32)
    assert touches(box(0, 150, 110, 170), seals) and not touches(box(0, 150, 90, 170), seals)
    assert not touches(box(0, 150, 110, 170), np.zeros((0, 4), np.float32))
