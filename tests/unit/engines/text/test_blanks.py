"""Blanks between Chinese and digits are put back, and no others."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from inkgate.engines.text.blanks import append_blanks


def read(text: str, gaps: dict[int, float]) -> list[str]:
    """The characters, one every four columns, with blanks of these probabilities between `at` and the next one."""
    columns = np.arange(len(text)) * 4
    blanks = np.zeros(4 * len(text) + 4, np.float32)
    for at, probability in gaps.items():
        blanks[4 * at + 2] = probability
    characters = list(text)
    append_blanks(characters, columns, blanks)
    return characters


@pytest.mark.parametrize(
    ("text", "places", "wanted"),
    [
        ("共12项", (0, 2), "共 12 项"),
        ("长5%以", (0, 1, 2), "长 5% 以"),
        ("用V2写", (0, 1, 2), "用 V2 写"),
        ("一二三四", (0, 1, 2), "一二三四"),
        ("共。12", (0, 1, 2), "共。12"),
    ],
)
def test_blanks_stand_between_chinese_and_digits_or_letters(text: str, places: tuple[int, ...], wanted: str) -> None:
    assert "".join(read(text, dict.fromkeys(places, 0.06))) == wanted


def test_below_the_threshold_there_is_none() -> None:
    assert read("共12项", {0: 0.04, 2: 0.01}) == list("共12项")


@given(st.text(st.sampled_from("共项1aV ，%"), max_size=10), st.floats(0, 1))
def test_characters_stay_as_many_and_as_they_are(text: str, probability: float) -> None:
    characters = read(text, dict.fromkeys(range(max(len(text) - 1, 0)), probability))
    assert [character[:1] for character in characters] == list(text)
    assert all(len(character) <= 2 for character in characters)
