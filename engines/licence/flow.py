"""One picture to one business licence: orient, find the print, read it, lay it out, check it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from engines.document import geometry
from engines.document.labels import Piece
from engines.document.scan import Scan
from engines.interfaces import TextEngine
from engines.licence.assemble import assemble
from engines.licence.labels import ORDER
from engines.licence.layout import Layout, lay_out
from engines.licence.reading import read_fields
from engines.types import Image, Licence

DETECT_SIDE = 1280
LEAST_SCORE = 0.75  # what is read where nothing was detected must be clear
_FIELDS = frozenset(ORDER)
_OTHER_TITLES = ("许可证", "证书", "合同", "发票", "备案凭证")


def read_licence(engine: TextEngine, image: Image, *, extras: bool = False) -> Licence:
    """Read one picture (BGR uint8) of a business licence (manual 6.3.4).

    `is_licence` is False and every field "" when the picture shows none. `real_capital` is None on one-column forms.
    """
    angle = engine.orient(image)
    scan, licence = _attempt(engine, image, angle)
    if licence is None:
        for further in scan.turns_left():
            if licence := _attempt(engine, image, (angle + further) % 360)[1]:
                break
    return licence or Licence()


def _attempt(engine: TextEngine, image: Image, angle: int) -> tuple[Scan, Licence | None]:
    upright = geometry.turn(image, angle)
    scan = Scan(engine, upright, engine.detect(upright, limit_side=DETECT_SIDE))
    if not read_fields(scan):
        return scan, None
    layout = lay_out(scan.strips, lambda *place: _look(scan, *place))
    if not _is_licence(scan, layout):
        return scan, None
    licence = assemble(layout, [s.text or "" for s in scan.strips])
    return scan, licence if _two_columns(layout) else replace(licence, real_capital=None)


def _look(scan: Scan, u0: float, u1: float, v: float, h: float) -> Piece | None:
    strip = scan.look(u0, u1, v, h)
    return Piece(None, strip.text or "", u0, u1, v, h, strip) if strip.text and strip.score > LEAST_SCORE else None


def _is_licence(scan: Scan, layout: Layout) -> bool:
    """A title that says so, or enough of a licence's labels and no other title."""
    labels = layout.keys & _FIELDS
    usual = float(np.median([c.h for c in layout.columns])) if layout.columns else 0.0
    titles = [s.text or "" for s in scan.strips if s.h > 1.2 * usual]
    if any("营业执照" in t for t in titles):
        return len(labels) >= 2
    return len(labels) >= 4 and not any(w in t for t in titles for w in _OTHER_TITLES)


def _two_columns(layout: Layout) -> bool:
    full = [c for c in layout.columns if len(layout.keys & {p.key for p in c.labels} & _FIELDS) > 1]
    return len(full) > 1 or "real_capital" in layout.keys
