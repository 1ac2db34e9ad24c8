"""Marks that a network sees and drops are inserted from a probability on."""

from __future__ import annotations

import numpy as np
import pytest

from inkgate.engines.text.marks import MarkThresholds, per_mille_places, vertical_marks
from inkgate.engines.text.recognise import Recogniser

CHARSET = ["", *"必填选0%8出A●◇。°‰o.", " "]


def read(path: str, **marks: tuple[int, float]) -> tuple[str, list[float]]:
    """The reading of a network that sees `path`, one character every four columns; `marks`: column and probability."""
    scores = np.zeros((4 * len(path) + 8, len(CHARSET)), np.float32)
    scores[:, 0] = 0.9
    for at, character in enumerate(path):
        if character != "-":
            scores[4 * at] = 0
            scores[4 * at, CHARSET.index(character)] = 0.99
    for mark, (column, probability) in marks.items():
        scores[column, CHARSET.index(mark)] = probability
    recogniser = Recogniser(lambda batch: scores[None], CHARSET, marks=MarkThresholds(stop=0.05, bullet=0.2))
    reading = recogniser.recognise_line(np.zeros((3, 48, 200), np.float32))
    assert (np.diff(reading.columns) > 0).all() and len(reading.scores) == len(reading.characters)
    return reading.text, [round(float(score), 2) for score in reading.scores]


def test_bullets_are_inserted_where_they_stand() -> None:
    assert read("-必-填", **{"●": (1, 0.3), "◇": (8, 0.5)}) == ("●必◇填", [0.3, 0.99, 0.5, 0.99])


def test_bullets_below_the_threshold_or_beside_a_character_are_not() -> None:
    assert read("-必-填", **{"●": (1, 0.15), "◇": (5, 0.5)})[0] == "必填"


def test_a_stop_at_the_end_of_chinese_is_inserted_with_a_low_score() -> None:
    assert read("必填", **{"。": (8, 0.04), "°": (8, 0.03)}) == ("必填。", [0.99, 0.99, 0.25])
    assert read("必填", **{"。": (8, 0.02)})[0] == "必填"
    assert read("必8", **{"。": (8, 0.4)})[0] == "必8"


@pytest.mark.parametrize(
    ("path", "text"),
    [("8%0出", "8‰出"), ("8%o", "8‰"), ("8%08", "8%08"), ("%0", "%0"), ("8%0A", "8%0A"), ("80%", "80%")],
)
def test_a_percent_sign_and_a_zero_behind_a_digit(path: str, text: str) -> None:
    assert read(path)[0] == text


def test_all_per_mille_signs_of_a_line() -> None:
    assert per_mille_places("8%0 9.1%0") == [7, 1]
    assert per_mille_places("5%0.3 100%0%") == []


def test_vertical_forms_are_for_chinese_lines_only() -> None:
    assert vertical_marks("书里’写着°") == "书里，写着。"
    assert vertical_marks("it’s 30°") == "it’s 30°"
