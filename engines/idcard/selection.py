"""Selects the sides of one person's card from an image that may show the cards of several."""

from __future__ import annotations

import re
from collections.abc import Sequence

from inkgate.engines.document.labels import TextSegment
from inkgate.engines.idcard.fields import assign_fields, to_number
from inkgate.engines.idcard.sides import CardSide, side_segments

_AUTHORITY = re.compile(r"(.{2,}?)公安局(?:(.{2,})分局)?")
_KIND_OF_PLACE = re.compile(r"(自治州|自治县|[省市区县旗盟州])$")


def select_person(segments: Sequence[TextSegment], sides: Sequence[CardSide]) -> list[CardSide]:
    """The sides of the card with the most labels, the first of equals in reading order; [] without sides.

    With the portrait side comes the only emblem side of an image of one person. In other images an emblem side belongs
    to the person whose address names the places of its authority, and to none when that is ambiguous.
    """
    portraits = [side for side in sides if side.note == "back"]
    emblems = [side for side in sides if side.note == "front"]
    if not portraits:
        return emblems[:1]
    person = max(portraits, key=lambda side: len(side.labels))
    others = [side for side in portraits if _number(segments, side) != _number(segments, person)]
    if "org" in person.labels:
        return [person]
    if not others and len(emblems) < 2:
        return [person, *emblems]
    own = [side for side in emblems if _names_places(segments, side, person)]
    own = [side for side in own if not any(_names_places(segments, side, other) for other in others)]
    return [person, *own[:1]]


def count_cards(segments: Sequence[TextSegment], sides: Sequence[CardSide]) -> int:
    """The number of different cards of which a side is in the image."""
    numbers = {_number(segments, side) for side in sides if side.note == "back"}
    authorities = {_field(segments, side, "validperiod") for side in sides if side.note == "front"}
    return max(len(numbers), len(authorities))


def _number(segments: Sequence[TextSegment], side: CardSide) -> str:
    return next((number for s in segments if side.holds(s) and (number := to_number(s.text))), "")


def _field(segments: Sequence[TextSegment], side: CardSide, key: str) -> str:
    return assign_fields(side_segments(segments, [side])).values.get(key, "")


def _names_places(segments: Sequence[TextSegment], emblem: CardSide, portrait: CardSide) -> bool:
    """Whether the address of a portrait side names every place of the authority of an emblem side."""
    match = _AUTHORITY.match(_field(segments, emblem, "org"))
    address = _field(segments, portrait, "addr")
    return match is not None and all(_KIND_OF_PLACE.sub("", place) in address for place in match.groups() if place)
