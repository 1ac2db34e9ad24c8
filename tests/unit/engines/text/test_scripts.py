"""What surroundings say about characters: the script of a page, the word around a stroke."""

from __future__ import annotations

import numpy as np
import pytest

from inkgate.engines.text.recognise import Recogniser
from inkgate.engines.text.scripts import (
    ScriptAwareRecogniser,
    ScriptCounter,
    WholeLineRecogniser,
    has_simplified,
    is_simplified_only,
    is_traditional_only,
)

CHARSET = ["", *"戶户·，。al1人2", " "]


class Network:
    """Gives one column a character: {character: score} each, a blank column after it."""

    def __init__(self, *columns: dict[str, float]) -> None:
        self._scores = np.zeros((1, 2 * len(columns), len(CHARSET)), np.float32)
        self._scores[:, 1::2, 0] = 1
        for at, column in enumerate(columns):
            for sign, score in column.items():
                self._scores[0, 2 * at, CHARSET.index(sign)] = score

    def __call__(self, batch: object) -> np.ndarray:
        return self._scores.copy()


CROP = np.zeros((48, 160, 3), np.uint8)
LINE = np.zeros((3, 48, 160), np.float32)


def one(sign: str) -> dict[str, float]:
    return {sign: 0.99}


def test_scripts_are_detected_by_their_character_sets() -> None:
    assert [is_simplified_only(sign) for sign in "户戶人a1，"] == [True, False, False, False, False, False]
    assert [is_traditional_only(sign) for sign in "户戶人a1，"] == [False, True, False, False, False, False]


def test_a_page_is_traditional_when_most_of_its_characters_are() -> None:
    assert ScriptCounter(["戶裝軟來參", "級預宮"]).is_traditional
    assert ScriptCounter(["戶裝軟來參級預宮", "户装"]).is_traditional
    assert not ScriptCounter(["戶裝軟來參級預宮", "户装软来"]).is_traditional
    assert not ScriptCounter(["戶裝", "人"]).is_traditional  # too few characters
    assert not ScriptCounter().is_traditional


def test_what_does_not_belong_on_a_traditional_page() -> None:
    assert has_simplified("人户")
    assert not has_simplified("·人戶")


def test_a_simplified_form_gives_way_to_a_traditional_one_that_was_seen() -> None:
    header = ScriptAwareRecogniser(Recogniser(Network(one("人"), {"户": 0.999, "戶": 0.0005}), CHARSET))
    assert header.recognise_traditional(LINE).text == "人户"
    scripts = ScriptAwareRecogniser(
        Recogniser(Network({"户": 0.9, "戶": 0.09}, one("人"), {"户": 0.999, "戶": 0.0005}), CHARSET)
    )
    assert scripts.recogniser.recognise_line(LINE).text == "户人户"
    assert scripts.recognise_traditional(LINE).text == "戶人戶"


def test_lines_that_do_not_fit_a_traditional_page_are_read_again() -> None:
    network = Network({"户": 0.9, "戶": 0.09})
    scripts = ScriptAwareRecogniser(Recogniser(network, CHARSET))
    assert [text for text, _ in WholeLineRecogniser(scripts)([CROP])] == ["户"]
    mixed = Network(*[one("戶")] * 8, {"户": 0.9, "戶": 0.09})
    assert [text for text, _ in WholeLineRecogniser(ScriptAwareRecogniser(Recogniser(mixed, CHARSET)))([CROP])] == [
        "戶" * 9
    ]


def test_a_dot_within_a_line_becomes_the_likelier_stop_with_a_low_score() -> None:
    network = Network({"·": 0.9, "。": 0.1}, one("人"), {"·": 0.9, "。": 0.02, "，": 0.01}, one("人"), one("·"))
    reading = Recogniser(network, CHARSET, fixes_confusions=True).recognise_line(LINE)
    assert reading.text == "·人。人·"
    assert reading.scores[2] < 0.3 < reading.scores[4]
    assert Recogniser(network, CHARSET).recognise_line(LINE).text == "·人·人·"  # as in a name on a card


@pytest.mark.parametrize(
    ("columns", "text"),
    [
        ([one("a"), {"1": 0.9, "l": 0.05}, one("a")], "ala"),
        ([one("a"), {"1": 0.99, "l": 0.0}, one("a")], "a1a"),
        ([one("a"), {"1": 0.9, "l": 0.06}, {"1": 0.9, "l": 0.08}], "all"),
        ([one("a"), {"1": 0.98, "l": 0.02}], "a1"),  # as in step1
        ([one("a"), {"1": 0.9, "l": 0.06}, {"1": 0.98, "l": 0.002}], "all"),
        ([one("a"), one("l"), {"1": 0.98, "l": 0.002}], "all"),
        ([one("a"), {"1": 0.9, "l": 0.04}, {"1": 0.98, "l": 0.002}], "a11"),
        ([one("1"), one("a")], "1a"),
        ([{"1": 0.9, "l": 0.03}, one("a"), one("l"), one("l")], "lall"),
        ([{"1": 0.9, "l": 0.03}, one("l"), one("a"), one("l")], "1lal"),  # as in 1kg
        ([{"1": 0.9, "l": 0.03}, one("a"), one("l")], "1al"),
        ([one("人"), {"1": 0.6, "l": 0.4}, one("人")], "人1人"),
        ([one("a"), {"1": 0.6, "l": 0.4}, one("2")], "a12"),
    ],
)
def test_a_one_within_a_word_is_the_letter(columns: list[dict[str, float]], text: str) -> None:
    assert Recogniser(Network(*columns), CHARSET, fixes_confusions=True)([CROP])[0][0] == text
