"""The decoder returns only valid plate numbers, each with a score."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from inkgate.engines.plate.alphabet import CHARACTERS, DIGITS, LETTERS, PROVINCES
from inkgate.engines.plate.decode import constrained_decode, ctc_log_likelihoods, decode, forced_alignment
from inkgate.engines.plate.syntax import pattern_of

CLASSES = len(CHARACTERS) + 1


def steps(text: str, *, sure: float = 0.98, gap: int = 2) -> np.ndarray:
    """Probabilities of 40 time steps that spell `text`: three steps a character, `gap` blanks between."""
    rows = []
    for character in text:
        rows += [CHARACTERS.index(character) + 1] * 3 + [0] * gap
    rows = rows[:40] + [0] * (40 - len(rows))
    out = np.full((40, CLASSES), (1 - sure) / (CLASSES - 1), np.float32)
    out[np.arange(40), rows] = sure
    return out


plain = st.builds(
    lambda p, a, rest: p + a + "".join(rest),
    st.sampled_from(PROVINCES),
    st.sampled_from(LETTERS + "O"),
    st.lists(st.sampled_from(LETTERS + DIGITS), min_size=5, max_size=5).filter(
        lambda serial: sum(c in LETTERS for c in serial) <= 2
    ),
)


@given(plain)
def test_what_stands_there_is_read(text: str) -> None:
    reading = decode(steps(text), green=0.1)
    assert reading.text == text
    assert min(reading.char_scores) == pytest.approx(0.98, abs=1e-3)
    assert reading.path_ratio == pytest.approx(1.0)


@pytest.mark.parametrize("text", ["粤B1234学", "沪AD12345", "粤B12345D", "使014578", "京O88888"])
def test_every_pattern_is_known(text: str) -> None:
    assert decode(steps(text), green=0.5).text == text


@given(st.integers(0, 2**32 - 1))
def test_noise_still_follows_a_pattern_and_is_not_believed(seed: int) -> None:
    rng = np.random.default_rng(seed)
    noise = rng.random((40, CLASSES)).astype(np.float32) ** 8
    reading = decode(noise / noise.sum(1, keepdims=True))
    assert pattern_of(reading.text) is not None
    assert reading.path_ratio < 0.5 or min(reading.char_scores) < 0.6


@given(st.integers(0, 2**32 - 1), plain, st.floats(0, 1))
def test_nothing_that_a_plate_may_carry_is_likelier_than_what_is_found(seed: int, other: str, green: float) -> None:
    rng = np.random.default_rng(seed)
    noise = rng.random((40, CLASSES)).astype(np.float32) ** 2
    spelled = noise / noise.sum(1, keepdims=True) + 0.1 * steps(other)
    spelled /= spelled.sum(1, keepdims=True)
    found = constrained_decode(spelled, green=0.0)
    alone, beside = forced_alignment(spelled, found.text), forced_alignment(spelled, other)
    assert alone is not None and beside is not None
    assert found.path_ratio == pytest.approx(alone.path_ratio, rel=1e-3)
    assert found.path_ratio >= beside.path_ratio * 0.999
    assert pattern_of(constrained_decode(spelled, green).text) is not None


def test_a_province_and_a_letter_lead() -> None:
    spelled = steps("京A12345")
    spelled[:3, CHARACTERS.index("8") + 1] = 4.0  # the network takes the province for a digit
    spelled[5:8, CHARACTERS.index("4") + 1] = 4.0  # and the letter for another
    reading = decode(spelled / spelled.sum(1, keepdims=True), green=0.1)
    assert reading.text == "京A12345"
    assert reading.path_ratio < 0.01


def test_the_ground_decides_between_seven_and_eight() -> None:
    ambiguous = steps("沪AD12345")
    ambiguous[35:38] = 0.5 / CLASSES  # the last character is half there,
    ambiguous[35:38, [0, CHARACTERS.index("5") + 1]] += 0.25
    ambiguous[10:13, CHARACTERS.index("D") + 1] = 1e-4  # and nothing says what is third
    assert len(decode(ambiguous, green=0.99).text) == 8
    assert len(decode(ambiguous, green=0.01).text) == 7


def test_equal_neighbours_need_a_blank_between() -> None:
    for a, b in itertools.pairwise("1188"):
        assert decode(steps(f"京A{a}{b}345"), green=0.1).text == f"京A{a}{b}345"


def test_a_serial_has_at_most_two_letters() -> None:
    third = steps("川AUED22")
    third[20:23, CHARACTERS.index("0") + 1] = 0.3  # the third letter might be a nought
    assert decode(third / third.sum(1, keepdims=True), green=0.1).text == "川AUE022"
    assert pattern_of("川AUED22") is None


def test_a_second_letter_on_a_green_plate_needs_to_be_clear() -> None:
    ambiguous = steps("沪AFD5568", sure=0.6)
    ambiguous[15:18, CHARACTERS.index("0") + 1] = 0.4
    assert decode(ambiguous / ambiguous.sum(1, keepdims=True), green=0.9).text == "沪AF05568"
    assert decode(steps("沪AFD5568"), green=0.9).text == "沪AFD5568"


@given(plain)
def test_a_forced_text_is_the_decoded_one_where_it_stands_there(text: str) -> None:
    spelled = steps(text)
    reading = forced_alignment(spelled, text)
    assert reading is not None
    assert (reading.char_scores, reading.spans) == (
        decode(spelled, green=0.1).char_scores,
        decode(spelled, green=0.1).spans,
    )
    assert reading.path_ratio == pytest.approx(1)


def test_a_text_that_no_plate_carries_cannot_be_forced() -> None:
    assert forced_alignment(steps("京A12345"), "京A1234") is None
    assert forced_alignment(steps("京A12345")[:6], "京A12345") is None


def test_the_likelihood_counts_every_path() -> None:
    rng = np.random.default_rng(4)
    few = rng.random((5, CLASSES)).astype(np.float32)
    few /= few.sum(1, keepdims=True)
    text = "京A1"
    classes = [CHARACTERS.index(c) + 1 for c in text]
    total = 0.0
    for path in itertools.product([0, *classes], repeat=5):
        spelled = [c for k, c in enumerate(path) if c and (k == 0 or path[k - 1] != c)]
        if spelled == classes:
            total += float(np.prod([few[t, c] for t, c in enumerate(path)]))
    assert ctc_log_likelihoods(few, [text])[0] == pytest.approx(np.log(total), rel=1e-4)
