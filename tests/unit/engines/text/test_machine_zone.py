"""Zones are corrected by the places of their fields and by their check digits, and other text is left alone."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inkgate.engines.text.machine_zone import check_digit, correct_zones, is_zone_line
from inkgate.engines.types import Line

QUAD = ((0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0))
# The specimens of Doc 9303 parts 4 (passport), 5 and 6 (cards), 7 (visa), with other names.
PASSPORT = ("P<UTOOLSSON<<ANNA<OLIVIA<<<<<<<<<<<<<<<<<<<<", "L898902C36UTO7408122F1204159ZE184226B<<<<<10")
VISA = ("V<UTOOLSSON<<ANNA<OLIVIA<<<<<<<<<<<<<<<<<<<<", "L8988901C4UTO4009078F96121096ZE184226B<<<<<<")
CARD = ("I<UTOD231458907<<<<<<<<<<<<<<<", "7408122F1204159UTO<<<<<<<<<<<6", "OLSSON<<ANNA<OLIVIA<<<<<<<<<<<")
WIDE_CARD = ("I<UTOOLSSON<<ANNA<OLIVIA<<<<<<<<<<<<", "D231458907UTO7408122F1204159<<<<<<<6")
names = st.text("ABCDEFGHIJKLMNOPQRSTUVWXYZ", min_size=2, max_size=12)
numbers = st.from_regex("[A-HJ-NP-Z][0-9]{8}", fullmatch=True)
dates = st.dates().map(lambda day: day.strftime("%y%m%d"))


def corrected(texts: Sequence[str]) -> list[str]:
    return [line.text for line in correct_zones([Line(QUAD, text, 0.9) for text in texts])]


def passport(name: str, given_name: str, number: str, birth: str, expiry: str) -> tuple[str, str]:
    fields = [f"{field}{check_digit(field)}" for field in (number, birth, expiry)]
    row = f"{fields[0]}COL{fields[1]}F{fields[2]}{14 * '<'}0"
    return (
        f"P<COL{name}<<{given_name}".ljust(44, "<"),
        f"{row}{check_digit(row[:10] + row[13:20] + row[21:43])}",
    )


@pytest.mark.parametrize("zone", [PASSPORT, VISA, CARD, WIDE_CARD])
def test_the_specimens_stay_as_they_are(zone: tuple[str, ...]) -> None:
    assert corrected(zone) == list(zone)
    assert is_zone_line(zone[0])


@pytest.mark.parametrize("zone", [PASSPORT, VISA, CARD, WIDE_CARD])
def test_letters_read_as_digits_are_corrected_in_every_format(zone: tuple[str, ...]) -> None:
    assert corrected([line.replace("O", "0").replace("I", "1") for line in zone]) == list(zone)


def test_fillers_are_counted_by_the_format() -> None:
    assert corrected([PASSPORT[0][:-4], PASSPORT[1].replace("<<<<<", "<<<")]) == list(PASSPORT)
    assert corrected([PASSPORT[0] + "くK<", PASSPORT[1]]) == list(PASSPORT)
    assert corrected([CARD[0] + "<<", CARD[1][:-5] + "6", CARD[2][:25]]) == list(CARD)


def test_other_forms_of_fillers_and_letters_become_those_of_the_zone() -> None:
    read = [PASSPORT[0].replace("<<", "«", 1).replace("P<", "p<"), PASSPORT[1].replace("<", "く")]
    assert corrected(read) == list(PASSPORT)
    assert corrected(["LI<く くWEI" + 9 * "く"]) == ["LI<<<WEI" + 9 * "<"]


def test_a_zone_stands_anywhere_on_a_page() -> None:
    around = ["PASSPORT 护照", "a < b", *PASSPORT, "x<y>z"]
    assert corrected(around) == around


def test_check_digits_that_do_not_hold_change_nothing() -> None:
    wrong = [PASSPORT[0].replace("O", "0"), PASSPORT[1][:-1] + "7"]
    assert corrected(wrong) == wrong


@given(names, names, numbers, dates, dates)
def test_any_passport_comes_back_from_its_misreading(name: str, given: str, number: str, birth: str, day: str) -> None:
    zone = passport(name, given, number, birth, day)
    misread = [line.replace("O", "0") for line in (zone[0].rstrip("<") + 7 * "<", zone[1])]
    assert corrected(misread) == list(zone)


@given(st.lists(st.text(st.sampled_from("P<VIACO0123456789«く >x中"), max_size=64), max_size=6))
def test_any_text_is_read_to_the_end_and_once(texts: list[str]) -> None:
    once = corrected(texts)
    assert len(once) == len(texts)
    assert corrected(once) == once
    for before, after in zip(texts, once, strict=True):
        assert after == before or "<" in after
