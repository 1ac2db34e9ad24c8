"""The compiled shapes hold the images that come most, and stay few: each takes memory."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from inkgate.engines.runtimes.interface import Shape, Tensor
from inkgate.engines.runtimes.openvino import MAX_PADDED_AREA, smallest_that_holds
from inkgate.engines.text.compiled_shapes import CASCADE, WHOLE_LINES, CompiledShapes
from inkgate.engines.text.detect import Detector
from inkgate.engines.text.profiles import PROFILES
from inkgate.engines.text.recognise import LINE_HEIGHT_PIXELS, MIN_WIDTH

# width and height in pixels of cameras, scanners, screens and of their halves; each also comes turned
FORMATS = ((4032, 3024), (1600, 1200), (1024, 768), (2480, 3508), (1240, 1754), (3000, 2000), (1920, 1080), (1280, 720))


class Entry:
    def __init__(self, shape: Shape) -> None:
        self.shape = shape

    def __call__(self, batch: Tensor) -> Tensor:
        return batch

    def release_activations(self) -> None:
        return None


@pytest.mark.parametrize("profile", ["balanced", "best"])
@pytest.mark.parametrize("size", [turned for size in FORMATS for turned in (size, size[::-1])])
def test_common_formats_fit_a_compiled_page_with_little_padding(profile: str, size: tuple[int, int]) -> None:
    given: list[Shape] = []

    def network(batch: Tensor) -> Tensor:
        given.append(batch.shape)
        return np.zeros((1, 1, *batch.shape[2:]), np.float32)

    compiled = PROFILES[profile].compiled
    assert compiled is not None
    Detector(network, PROFILES[profile].page)(np.full((size[1], size[0], 3), 255, np.uint8))
    chosen = smallest_that_holds([Entry(shape) for shape in compiled.pages], given[0])
    assert chosen is not None, given
    assert chosen.shape[2] * chosen.shape[3] <= 1.25 * given[0][2] * given[0][3]


@pytest.mark.parametrize("shapes", [CASCADE, WHOLE_LINES])
def test_widths_rise_without_a_gap_that_no_shape_may_pad(shapes: CompiledShapes) -> None:
    for lines in filter(None, (shapes.draft_lines, shapes.accurate_lines)):
        widths = [shape[3] for shape in lines]
        assert widths == sorted(set(widths)) and widths[0] == MIN_WIDTH
        assert {shape[:3] for shape in lines} == {(1, 3, LINE_HEIGHT_PIXELS)}
        assert all(wide <= MAX_PADDED_AREA * narrow for narrow, wide in itertools.pairwise(widths))
    assert all(side % 32 == 0 for shape in shapes.pages for side in shape[2:])


def test_the_shapes_are_few() -> None:
    for profile in PROFILES.values():
        if profile.compiled is not None:
            shapes = profile.compiled
            assert len(shapes.pages) + len(shapes.draft_lines) + len(shapes.accurate_lines) <= 33
