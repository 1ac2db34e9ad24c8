"""The detector's arithmetic: from network output to corners, from copies and tiles back to the image."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from inkgate.engines.plate.detect import (
    STRIDE,
    Candidate,
    DetectorOptions,
    PlateDetector,
    local_maxima,
    normalise,
    suppress_overlaps,
)


def output(height: int, width: int, plates: list[np.ndarray]) -> np.ndarray:
    """What a perfect network gives for an image of this size with plates at these corners."""
    out = np.zeros((10, height // STRIDE, width // STRIDE), np.float32)
    out[0] = -20
    for corners in plates:
        wide = np.hypot(*(corners[1] - corners[0]))
        column, row = (corners.mean(0) // STRIDE).astype(int)
        for r in range(max(row - 1, 0), min(row + 2, out.shape[1])):
            for c in range(max(column - 1, 0), min(column + 2, out.shape[2])):
                middle = np.array([c, r]) * STRIDE + STRIDE / 2
                out[0, r, c] = 4 if (r, c) == (row, column) else 1
                out[1, r, c] = np.log(wide)
                out[2:, r, c] = ((corners - middle) / wide).ravel()
    return out


def box(x: float, y: float, w: float = 90, h: float = 28) -> np.ndarray:
    return np.array([(x, y), (x + w, y), (x + w, y + h), (x, y + h)], np.float32)


def test_colours_are_normalised_by_channel() -> None:
    image = np.random.default_rng(0).integers(0, 256, (32, 64, 3)).astype(np.uint8)
    mean = np.array([123.675, 116.28, 103.53], np.float32)
    deviation = np.array([58.395, 57.12, 57.375], np.float32)
    given = normalise(image)
    assert (given.shape, given.dtype) == ((1, 3, 32, 64), np.float32)
    assert np.array_equal(given[0], ((image.astype(np.float32) - mean) / deviation).transpose(2, 0, 1))


def test_peaks_give_back_the_corners() -> None:
    plates = [box(20, 40), box(200, 100, 60, 20)]
    found = local_maxima(output(192, 320, plates), 0.3)
    assert len(found) == 2
    for (corners, score), wanted in zip(found, plates, strict=True):
        assert np.allclose(corners, wanted, atol=1e-2)
        assert score == pytest.approx(0.982, abs=1e-3)


def test_of_candidates_that_cover_each_other_the_best_seen_stays() -> None:
    found = [
        Candidate(box(0, 0), 0.5),
        Candidate(box(4, 2), 0.8),
        Candidate(box(3, 2), 0.9, detected_width=20),
        Candidate(box(200, 0), 0.3),
    ]
    assert [one.score for one in suppress_overlaps(found)] == [0.8, 0.3]


class Seeing:
    """A network that "sees" one red pixel block as a plate of its own size."""

    def __call__(self, batch: np.ndarray) -> np.ndarray:
        red = batch[0, 2] - batch[0, 0] > 2.0
        plates = []
        if red.any():
            ys, xs = np.nonzero(red)
            plates.append(box(xs.min(), ys.min(), xs.max() + 1 - xs.min(), ys.max() + 1 - ys.min()))
        return output(batch.shape[2], batch.shape[3], plates)[None]


def test_a_frame_surrounds_the_small_copy() -> None:
    shapes, borders = [], []

    def network(batch: np.ndarray) -> np.ndarray:
        shapes.append(batch.shape[2:])
        borders.append(batch[0, :, 0, 0])
        return Seeing()(batch)

    image = np.full((70, 240, 3), 255, np.uint8)
    image[2:68, 3:237] = (0, 0, 255)  # the plate reaches the border
    detector = PlateDetector(network, DetectorOptions(frame=24))
    found = detector.detect_at_scale(image, 128, framed=True)
    assert shapes == [(96, 192)], "128 x 37 and a frame, in multiples of 32"
    assert np.allclose(borders[0], normalise(np.zeros((1, 1, 3), np.uint8))[0].ravel()), "black"
    assert np.allclose(found[0].corners, box(3, 2, 234, 66), atol=3)


@pytest.mark.parametrize("degrees", [-30.0, 30.0, 75.0])
@pytest.mark.parametrize("size", [(480, 640), (900, 500)])
def test_corners_of_a_rotated_copy_come_back_in_source_pixels(degrees: float, size: tuple[int, int]) -> None:
    middle = (size[1] * 0.55, size[0] * 0.45)
    upright = np.zeros((*size, 3), np.uint8)
    corners = box(middle[0] - 60, middle[1] - 20, 120, 40) - middle
    angle = np.deg2rad(degrees)
    turn = np.array([(np.cos(angle), np.sin(angle)), (-np.sin(angle), np.cos(angle))])
    tilted = (corners @ turn.T + middle).astype(np.float32)  # counter-clockwise; the rotation sets it level
    cv2.fillConvexPoly(upright, np.round(tilted).astype(np.int32), (0, 0, 255))
    found = PlateDetector(Seeing()).detect_rotated(upright, 320, degrees)
    assert len(found) == 1
    assert np.allclose(found[0].corners, tilted, atol=6)


@pytest.mark.parametrize("size", [(33, 33), (480, 640), (960, 1280), (1200, 500)])
def test_corners_come_back_in_source_pixels(size: tuple[int, int]) -> None:
    image = np.zeros((*size, 3), np.uint8)
    x, y, w, h = size[1] // 4, size[0] // 3, max(size[1] // 3, 8), max(size[0] // 10, 4)
    image[y : y + h, x : x + w] = (0, 0, 255)
    found = PlateDetector(Seeing(), DetectorOptions(sizes=(320,)))(image)
    assert len(found) == 1
    assert np.allclose(found[0].corners, box(x, y, w, h), atol=1.6 * max(1, max(size) / 320))


def test_a_close_look_gives_corners_in_source_pixels() -> None:
    image = np.zeros((900, 1200, 3), np.uint8)
    image[500:531, 700:800] = (0, 0, 255)
    rough = Candidate(box(690, 495, 110, 40), 0.6)
    found = PlateDetector(Seeing()).refine_candidate(image, rough)
    assert np.allclose(found.corners, box(700, 500, 100, 31), atol=1.5)
    nothing = PlateDetector(Seeing()).refine_candidate(np.zeros_like(image), rough)
    assert (nothing.score, nothing.corners.tolist()) == (0.3, rough.corners.tolist())


def test_tiles_find_what_is_small_in_a_large_image() -> None:
    image = np.zeros((2400, 3200, 3), np.uint8)
    image[2300:2330, 3000:3090] = (0, 0, 255)
    whole = PlateDetector(Seeing(), DetectorOptions(sizes=(96,), tile_above_pixels=10_000))(image)
    assert not whole or whole[0].corners.min() < 0 or abs(np.ptp(whole[0].corners[:, 0]) - 90) > 5
    found = PlateDetector(Seeing(), DetectorOptions(sizes=(96,), tile_above_pixels=2000, tile_size=3200, tile=736))(
        image
    )
    assert any(np.allclose(one.corners, box(3000, 2300, 90, 30), atol=3) for one in found)
