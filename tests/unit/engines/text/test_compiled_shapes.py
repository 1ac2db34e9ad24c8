"""The compiled shapes hold the images that come most, and stay few: each takes memory."""

from __future__ import annotations

import itertools

import pytest

from inkgate.engines.runtimes.openvino import MAX_PADDED_AREA
from inkgate.engines.text.compiled_shapes import CASCADE, WHOLE_LINES, CompiledShapes
from inkgate.engines.text.profiles import PROFILES
from inkgate.engines.text.recognise import LINE_HEIGHT_PIXELS, MIN_WIDTH


@pytest.mark.parametrize("shapes", [CASCADE, WHOLE_LINES])
def test_widths_rise_without_a_gap_that_no_shape_may_pad(shapes: CompiledShapes) -> None:
    for lines in filter(None, (shapes.draft_lines, shapes.accurate_lines)):
        widths = [shape[3] for shape in lines]
        assert widths == sorted(set(widths)) and widths[0] == MIN_WIDTH
        assert {shape[:3] for shape in lines} == {(1, 3, LINE_HEIGHT_PIXELS)}
        assert all(wide <= MAX_PADDED_AREA * narrow for narrow, wide in itertools.pairwise(widths))


def test_the_shapes_are_few() -> None:
    for profile in PROFILES.values():
        if profile.compiled is not None:
            shapes = profile.compiled
            assert len(shapes.draft_lines) + len(shapes.accurate_lines) <= 22
