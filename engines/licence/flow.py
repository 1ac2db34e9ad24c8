"""One picture to one business licence: orient, find the print, read it, lay it out, check it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from engines.document import geometry
from engines.document.scan import Scan
from engines.interfaces import TextEngine
from engines.licence.assemble import assemble
from engines.licence.labels import ORDER
from engines.licence.layout import Layout, lay_out
from engines.types import Image, Licence

DETECT_SIDE = 1280
_FIELDS = frozenset(ORDER) - {"real_capital"}


def read_licence(engine: TextEngine, image: Image, *, extras: bool = False) -> Licence:
    """Read one picture (BGR uint8) of a business licence (manual 6.3.4).

    `is_licence` is False and every field "" when the picture shows none. `real_capital` is None on one-column forms.
    """
    upright = geometry.turn(image, engine.orient(image))
    scan = Scan(engine, upright, engine.detect(upright, limit_side=DETECT_SIDE))
    scan.read()
    layout = lay_out(scan.strips)
    if not _is_licence(scan, layout):
        return Licence()
    licence = assemble(layout, [s.text or "" for s in scan.strips])
    return licence if _two_columns(layout) else replace(licence, real_capital=None)


def _is_licence(scan: Scan, layout: Layout) -> bool:
    """A title that says so, or enough of a licence's labels and no other title."""
    labels = {label.key for column in layout.columns for label in column.labels} & _FIELDS
    usual = float(np.median([s.h for s in scan.strips])) if scan.strips else 0.0
    titles = [s.text or "" for s in scan.strips if s.h > 1.3 * usual]
    if any("营业执照" in t for t in titles):
        return len(labels) >= 2
    if any(w in t for t in titles for w in ("许可证", "证书", "合同", "发票")):
        return False
    return len(labels) >= 4


def _two_columns(layout: Layout) -> bool:
    full = [c for c in layout.columns if len(c.labels) > 1]
    return len(full) > 1 or "real_capital" in {label.key for c in layout.columns for label in c.labels}
