"""0 and O, 1, I and l in codes are decided by their outlines and probabilities; words and numbers stay."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from inkgate.engines.text.codes import CodeDecoder, code_spans

STRIDE, PITCH = 8, 4  # pixels per column, columns per character
CHARSET = ["", *"0O1IlABDl23457abxz-", " "]
NARROW, WIDE = 16, 26  # pixels of an outline of 28


def line(widths: list[int]) -> np.ndarray:
    """A tensor of rings 28 pixels high, one per character, of these widths; 0 for a bar."""
    image = np.ones((48, (len(widths) + 1) * PITCH * STRIDE), np.float32)
    for at, width in enumerate(widths):
        centre = (int((at + 1) * PITCH * STRIDE + STRIDE / 2), 24)
        if width:
            cv2.ellipse(image, centre, (width // 2, 14), 0, 0, 360, -1.0, 3)
        else:
            cv2.line(image, (centre[0], 10), (centre[0], 38), -1.0, 3)
    return np.stack([image] * 3)


def corrected(text: str, widths: list[int], **others: tuple[int, float]) -> str:
    """The code after correction; `others`: a character, its place and its probability there."""
    columns = np.arange(1, len(text) + 1) * PITCH
    probabilities = np.zeros((int(columns[-1]) + PITCH, len(CHARSET)), np.float32)
    for character, (place, probability) in others.items():
        probabilities[columns[place], CHARSET.index(character)] = probability
    characters = list(text)
    CodeDecoder(CHARSET, STRIDE).correct(characters, columns, probabilities, line(widths))
    return "".join(characters)


def test_a_wide_0_is_an_o_where_the_network_has_seen_one() -> None:
    widths = [NARROW, WIDE, NARROW, NARROW]
    assert corrected("A023", widths, O=(1, 0.01)) == "AO23"
    assert corrected("A023", widths, O=(1, 0.0001)) == "A023"
    assert corrected("A023", [NARROW] * 4, O=(1, 0.4)) == "A023"


def test_an_image_stretched_to_one_side_widens_all_digits() -> None:
    assert corrected("A023", [WIDE, WIDE, WIDE, WIDE], O=(1, 0.3)) == "A023"


def test_a_narrow_o_is_0_only_beside_wide_letters() -> None:
    assert corrected("BO23", [WIDE, NARROW, NARROW, NARROW], **{"0": (1, 0.01)}) == "B023"
    assert corrected("BO23", [NARROW, NARROW, NARROW, NARROW], **{"0": (1, 0.01)}) == "BO23"


@pytest.mark.parametrize(
    ("text", "others", "wanted"),
    [
        ("AB13", {"I": (2, 0.3)}, "ABI3"),
        ("AB13", {"I": (2, 0.001)}, "AB13"),
        ("ab13", {"l": (2, 0.3)}, "abl3"),
        ("ab13", {"l": (2, 0.1)}, "ab13"),
        ("abI3", {"l": (2, 0.1)}, "abl3"),
        ("ABl3", {"I": (2, 0.1)}, "ABI3"),
        ("aBI3", {"l": (2, 0.1)}, "aBI3"),
    ],
)
def test_bars_are_decided_by_probability_and_by_the_other_letters(
    text: str, others: dict[str, tuple[int, float]], wanted: str
) -> None:
    assert corrected(text, [NARROW, NARROW, 0, NARROW], **others) == wanted


@pytest.mark.parametrize("text", ["2010", "1O", "A1", "xlO", "ABOD", "l10"])
def test_words_numbers_and_short_tokens_are_no_codes(text: str) -> None:
    assert code_spans(text) == []
    assert corrected(text, [WIDE] * len(text), O=(len(text) - 1, 0.4), I=(0, 0.4)) == text


def test_codes_are_found_with_their_hyphens_and_blanks_behind_characters() -> None:
    assert code_spans(["号", " ", "A", "-", "0", "1 ", "年"]) == [(2, 6)]


@given(st.text(st.sampled_from("0O1IlABab23-中 "), max_size=12), st.integers(1, 30))
def test_any_text_keeps_its_length_and_all_other_characters(text: str, width: int) -> None:
    if text:
        after = corrected(text, [width] * len(text), O=(0, 0.5), l=(len(text) - 1, 0.5))
        assert len(after) == len(text)
        assert all(a == b or {a, b} <= {*"0O1Il"} for a, b in zip(text, after, strict=True))
