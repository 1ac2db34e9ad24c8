"""The background colour: what remains of it in strong light, and which colours a text allows."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.accuracy.field.plates import over_exposed, plate_image
from inkgate.engines.plate.alphabet import COLOURS
from inkgate.engines.plate.colour import decide_colour, ink_contrast
from inkgate.engines.plate.decode import Reading
from inkgate.engines.plate.reading import confidence
from inkgate.engines.plate.rectify import rectified_strip
from inkgate.engines.types import Image

FLAT = np.zeros((48, 160, 3), np.uint8)


def strip_of(kind: str, seed: int, exposure: float) -> Image:
    """The strip of a rendered plate; `exposure` in 0..1 is the strength of the light on it."""
    rng = np.random.default_rng(seed)
    plate, _ = plate_image(kind, rng)
    height, width = plate.shape[:2]
    bright = over_exposed(plate, rng, exposure)
    return rectified_strip(bright, ((0.0, 0.0), (width, 0.0), (width, height), (0.0, height)))


def probabilities(**shares: float) -> np.ndarray:
    return np.array([shares.get(name, 0.0) for name in COLOURS], np.float32)


@pytest.mark.parametrize("exposure", [0.0, 0.5, 0.8])
@pytest.mark.parametrize("seed", range(6))
def test_light_characters_stay_light_in_strong_light(seed: int, exposure: float) -> None:
    assert ink_contrast(strip_of("blue", seed, exposure)) > 0
    assert ink_contrast(strip_of("yellow", seed, exposure)) < 0


@pytest.mark.parametrize("seed", range(6))
def test_where_little_contrast_is_left_the_ink_is_never_misjudged(seed: int) -> None:
    assert ink_contrast(strip_of("blue", seed, 1.0)) >= 0
    assert ink_contrast(strip_of("yellow", seed, 1.0)) <= 0


@pytest.mark.parametrize("seed", range(6))
def test_an_over_exposed_plate_of_civil_text_is_blue_or_yellow(seed: int) -> None:
    network = probabilities(white=0.45, blue=0.25, yellow=0.25)
    assert decide_colour(network, "川AZ408T", strip_of("blue", seed, 1.0), 1) == "blue"
    assert decide_colour(network, "川AZ4081", strip_of("yellow", seed, 1.0), 1) == "yellow"


def test_only_a_special_ending_allows_white() -> None:
    network = probabilities(white=0.9, blue=0.05)
    assert decide_colour(network, "京A1234警", FLAT, 1) == "white"
    assert decide_colour(network, "京A12345", FLAT, 1) == "blue"


@pytest.mark.parametrize(("black", "colour"), [(0.4, "blue"), (0.8, "black")])
def test_black_needs_a_high_probability(black: float, colour: str) -> None:
    assert decide_colour(probabilities(black=black, blue=0.15), "京A12345", FLAT, 1) == colour


def test_two_rows_and_characters_that_do_not_stand_out_are_no_evidence() -> None:
    network = probabilities(yellow=0.6, blue=0.3)
    assert decide_colour(network, "鲁H12345", strip_of("blue", 1, 1.0), 2) == "yellow"
    assert decide_colour(network, "鲁H12345", FLAT + 128, 1) == "yellow"


@pytest.mark.parametrize(
    ("pattern", "text", "green", "share"),
    [("seven", "皖AD4198", 0.9, 0.2), ("seven", "皖AD4198", 0.4, 1.0), ("green", "皖AD41988", 0.9, 1.0)],
)
def test_seven_characters_on_green_are_not_believed(pattern: str, text: str, green: float, share: float) -> None:
    reading = Reading(text, pattern, (0.99,) * len(text), 1.0)
    assert confidence(reading, probabilities(green=green)) == pytest.approx(0.99 * share, abs=0.01)
