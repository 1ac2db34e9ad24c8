"""Marks that a network sees and drops are inserted from a probability on."""

from __future__ import annotations

import numpy as np
import pytest

from inkgate.engines.text.marks import (
    MarkThresholds,
    merge_parts,
    per_mille_places,
    vertical_marks,
    with_draft_marks,
)
from inkgate.engines.text.recognise import Recogniser

CHARSET = ["", *"必填选0%8出A●◇。°‰o.，", " "]


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


def test_two_characters_in_the_place_of_one_numeral_are_that_numeral() -> None:
    assert merge_parts([(3, "第", 1.0), (6, "二", 0.8), (8, "Ⅲ", 0.4), (13, "类", 1.0)]) == [
        (3, "第", 1.0),
        (8, "Ⅲ", 0.4),
        (13, "类", 1.0),
    ]
    assert merge_parts([(6, "Ⅲ", 0.4), (8, "Ⅲ", 0.5)]) == [(8, "Ⅲ", 0.5)]
    assert merge_parts([(4, "I", 0.4), (6, "Ⅲ", 0.4), (8, "川", 0.5)]) == [(6, "Ⅲ", 0.4)]


@pytest.mark.parametrize(
    "parts",
    [
        [(6, "Ⅰ", 0.9), (11, "Ⅲ", 0.9)],  # two cells
        [(6, "I", 0.9), (8, "V", 0.9)],  # two letters
        [(6, "二", 0.9), (8, "三", 0.9)],
        [(6, "Ⅲ", 0.9), (8, "类", 0.9)],
        [(6, "◇", 0.9), (9, ">", 0.9)],
    ],
)
def test_characters_apart_or_of_other_kinds_stay_two(parts: list[tuple[int, str, float]]) -> None:
    assert merge_parts(parts) == parts


def test_half_a_diamond_and_other_forms_of_squares_are_bullets() -> None:
    assert merge_parts([(4, "◇", 0.3), (6, ">", 0.9), (12, "█", 0.9), (20, "☐", 0.9)]) == [
        (4, "◇", 0.3),
        (12, "■", 0.9),
        (20, "□", 0.9),
    ]


@pytest.mark.parametrize(
    ("text", "draft", "wanted"),
    [
        ("衣口袋", "衣口袋°", "衣口袋。"),
        ("衣口袋", "农口袋。", "衣口袋。"),
        ("只出港", "只出港’", "只出港，"),
        ("衣口袋。", "衣口袋。", "衣口袋。"),
        ("25", "25°", "25"),
        ("衣口", "衣口袋。", "衣口"),
        ("必填", "■必填", "■必填"),
        ("选必填", "■必填", "选必填"),
        ("", "。", ""),
    ],
)
def test_marks_that_only_the_draft_has_are_kept(text: str, draft: str, wanted: str) -> None:
    assert with_draft_marks(text, draft) == wanted


def test_a_comma_at_the_end_of_chinese_is_inserted() -> None:
    assert read("必填", **{"，": (8, 0.25)})[0] == "必填，"
    assert read("必填", **{"，": (8, 0.1)})[0] == "必填"


@pytest.mark.parametrize(("height", "wanted"), [(30, "8%0"), (16, "8‰")])
def test_a_0_as_high_as_the_digit_is_no_part_of_per_mille(height: int, wanted: str) -> None:
    line = np.ones((3, 48, 200), np.float32)
    for middle, tall in ((4, 30), (4 * 8 + 4, 30), (8 * 8 + 4, height)):
        line[:, 44 - tall : 44, middle - 3 + 8 : middle + 4 + 8] = -1
    scores = np.zeros((20, len(CHARSET)), np.float32)
    scores[:, 0] = 0.9
    for at, character in enumerate("8%0"):
        scores[4 * at + 1] = 0
        scores[4 * at + 1, CHARSET.index(character)] = 0.99
    assert Recogniser(lambda batch: scores[None], CHARSET, marks=MarkThresholds()).recognise_line(line).text == wanted
