"""Identity card pipeline: orientation, detect, recognise, assign, validate."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from inkgate.engines.document import geometry, names
from inkgate.engines.document.extras import border_warnings, field_extras, image_warnings
from inkgate.engines.document.labels import TextSegment
from inkgate.engines.document.scan import UPRIGHT, DocumentScan, Strip
from inkgate.engines.idcard.assemble import assemble
from inkgate.engines.idcard.fields import FieldValues, assign_fields
from inkgate.engines.idcard.labels import TITLE, cut
from inkgate.engines.idcard.selection import count_cards, select_person
from inkgate.engines.idcard.sides import CardSide, find_sides, side_segments
from inkgate.engines.idcard.warnings import card_warnings
from inkgate.engines.interfaces import TextEngine
from inkgate.engines.types import IdCard, Image

DETECT_SIDE = 960  # pixels of the longer side as detection sees it
CROWDED = 40  # strips: above this the background has text of its own
SHORT = 7.5  # heights: strips up to this length are recognised before the card is located
MIN_REGION_SCORE = 0.6  # least score of text in a region without a detection
_MAX_ROUNDS = 4  # each round recognises the strips around the labels found before
_MIN_PERSON_LABELS = 3  # on a portrait side on which the label of the number was not read
_FEW_LABELS = 2  # with fewer, all strips are recognised
# Bounds of a card around its labels, in heights of the largest label.
_CARD_ABOVE, _CARD_BELOW, _CARD_LEFT, _CARD_RIGHT = 5.0, 5.0, 3.0, 26.0


def read_idcard(engine: TextEngine, image: Image, *, extras: bool = False) -> IdCard:
    """Read one image (BGR uint8) of an identity card, one or both sides.

    `note` is "front" for the emblem side, "back" for the portrait side or for both sides in one image, "" when no
    card of the family is there (manual 6.3.2). With `extras`: angle, confidence and boxes per field, warnings.
    """
    angle = engine.orient(image)
    reading = _read_at_angle(engine, image, angle)
    for further in () if reading.note else reading.scan.remaining_rotation():
        reading = _read_at_angle(engine, image, (angle + further) % 360)
        if reading.note:
            break
    if not reading.note:
        return IdCard()
    card = assemble(reading.note, reading.found)
    return replace(card, extras=_extras(reading, card, image)) if extras else card


@dataclass(frozen=True)
class _OrientedReading:
    """The result for the image turned clockwise by `angle`; `note` is "" when no card was found. `cards` is
    the number of cards in the image."""

    angle: int
    scan: DocumentScan
    note: str
    found: FieldValues
    cards: int


def _read_at_angle(engine: TextEngine, image: Image, angle: int) -> _OrientedReading:
    upright = geometry.rotate(image, angle)
    scan = DocumentScan(engine, upright, engine.detect(upright, limit_side=DETECT_SIDE))
    return _OrientedReading(angle, scan, *_read(scan))


def _extras(reading: _OrientedReading, card: IdCard, image: Image) -> dict[str, object]:
    today = dt.datetime.now(dt.UTC).date()
    fields = field_extras(reading.found.sources, reading.angle, image)
    return {
        "angle": reading.angle,
        "fields": fields,
        "warnings": [
            *card_warnings(card, reading.found, today),
            *border_warnings(fields, image),
            *image_warnings(image),
            *(["several_cards"] if reading.cards > 1 else []),
        ],
    }


def _read(scan: DocumentScan) -> tuple[str, FieldValues, int]:
    _recognise_card_strips(scan)
    segments = _segments(scan)
    sides = find_sides(segments)
    cards = count_cards(segments, sides)
    if sides := select_person(segments, sides):
        segments = _refine(scan, segments, sides)
    found = assign_fields(segments, lambda *region: _read_region(scan, *region))
    if len(parts := found.sources.get("name", [])) == 1:
        found = found.with_value("name", names.correct_name(found.values["name"], parts[0], scan.candidates))
    return _note(scan, sides, found), found, cards


def _refine(scan: DocumentScan, segments: list[TextSegment], sides: list[CardSide]) -> list[TextSegment]:
    """The segments of the selected sides, after rectification by their labels alone where there are others."""
    anchors = [label.strip for side in sides for label in side.labels.values()]
    if any(s.key and s.strip not in anchors for s in segments):
        scan.refit_rectification(anchors)
        segments = _segments(scan)
        feet = [side.foot.strip for side in sides]
        sides = [side for side in find_sides(segments) if side.foot.strip in feet] or sides
    return side_segments(segments, sides)


def _recognise_card_strips(scan: DocumentScan) -> None:
    """Recognise the strips of the card; in a crowded image short strips first, then those near the labels."""
    crowded = len(scan.strips) > CROWDED
    scan.recognise(lambda s: s.h < UPRIGHT * s.length and (not crowded or s.length < SHORT * s.h))
    for _ in range(_MAX_ROUNDS):
        segments = _segments(scan)
        sides = find_sides(segments)
        anchors = [label.strip for side in sides for label in side.labels.values()]
        anchors = anchors or [p.strip for p in segments if p.key]
        if not anchors:
            break
        scan.refit_rectification(anchors)
        if not scan.recognise(_near(anchors)):
            break
    if len({p.key for p in _segments(scan) if p.key}) < _FEW_LABELS:
        scan.recognise(lambda s: s.h < UPRIGHT * s.length)


def _near(anchors: Sequence[Strip]) -> Callable[[Strip], bool]:
    """Whether a strip may belong to the card with the label anchors `anchors`."""
    left, h = min(s.u0 for s in anchors), max(s.h for s in anchors)
    top, bottom = min(s.v for s in anchors) - _CARD_ABOVE * h, max(s.v for s in anchors) + _CARD_BELOW * h
    first, last = left - _CARD_LEFT * h, left + _CARD_RIGHT * h
    return lambda s: first < s.u0 < last and top < s.v < bottom and not s.is_oblique


def _segments(scan: DocumentScan) -> list[TextSegment]:
    return cut(scan.strips)


def _read_region(scan: DocumentScan, u0: float, u1: float, v: float, h: float) -> TextSegment | None:
    strip = scan.recognise_region(u0, u1, v, h)
    return TextSegment(None, strip.text or "", u0, u1, v, h, strip) if strip.score > MIN_REGION_SCORE else None


def _note(scan: DocumentScan, sides: Sequence[CardSide], found: FieldValues) -> str:
    notes = {side.note for side in sides}
    labels = found.labels
    person = labels.keys() & {"name", "sex", "nation", "birthday", "addr"}
    if "back" in notes and "idn" in found.values and ("idn" in labels or len(person) >= _MIN_PERSON_LABELS):
        return "back"
    texts = [s.text or "" for s in scan.strips]
    if "front" in notes or any(TITLE.search(text) for text in texts):
        return "front"
    return ""
