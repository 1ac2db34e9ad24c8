"""One picture to one identity card: orient, find the print, read it, assign it, check it."""

from __future__ import annotations

from engines.document import geometry
from engines.document.scan import Scan
from engines.idcard.assemble import assemble
from engines.idcard.fields import LABELS, Found, find
from engines.idcard.labels import OTHER_CARDS, TITLES
from engines.interfaces import TextEngine
from engines.types import IdCard, Image

DETECT_SIDE = 960


def read_idcard(engine: TextEngine, image: Image, *, extras: bool = False) -> IdCard:
    """Read one picture (BGR uint8) of an identity card, one or both sides.

    `note` is "front" for the emblem side, "back" for the portrait side or for both sides in one picture, "" when no
    card of the family is there (manual 6.3.2).
    """
    upright = geometry.turn(image, engine.orient(image))
    scan = Scan(engine, upright, engine.detect(upright, limit_side=DETECT_SIDE))
    scan.read()
    pieces = [p for s in scan.strips for p in LABELS.pieces(s)]
    note = _side(scan, found := find(pieces))
    return assemble(note, found) if note else IdCard()


def _side(scan: Scan, found: Found) -> str:
    texts = [s.text or "" for s in scan.strips]
    page = "\n".join(texts)
    labels = found.labels
    person = labels.keys() & {"name", "sex", "nation", "birthday", "addr"}
    if "idn" in labels and "idn" in found.values:
        return "back"
    if "idn" in found.values and len(person) > 2 and not any(word in page for word in OTHER_CARDS):
        return "back"
    if len(labels.keys() & {"org", "validperiod"}) == 2 or any(title in page for title in TITLES):
        return "front"
    return ""
