"""Business licence pipeline: orientation, detect, recognise, assign, validate."""

from __future__ import annotations

import re
from dataclasses import replace

import cv2
import numpy as np

from inkgate.engines.boxes import as_quad
from inkgate.engines.document import checks, geometry, names
from inkgate.engines.document.extras import border_warnings, field_extras, image_warnings
from inkgate.engines.document.labels import TextSegment
from inkgate.engines.document.scan import UPRIGHT, DocumentScan
from inkgate.engines.document.seal import remove_red_ink
from inkgate.engines.interfaces import TextEngine
from inkgate.engines.licence.assemble import assemble
from inkgate.engines.licence.layout import Layout, lay_out
from inkgate.engines.licence.recognition import FIELDS, TITLE, field_labels, recognise_fields
from inkgate.engines.types import Image, Licence

DETECT_SIDE = 1280  # pixels of the longer side as detection sees it
ENLARGED_SIDE = 1600  # pixels of the longer side when the licence is detected again, enlarged
MIN_TEXT_HEIGHT = 14.0  # pixels at the scale of detection
MIN_REGION_SCORE = 0.75  # least score of text in a region without a detection
# The close read_region: the licence around the middle of its title, in widths of a title of five characters.
_TITLE_CHARACTERS = (4, 5)  # a title has at least so many; the unit is so many wide
_BESIDE_TITLE, _OVER_TITLE, _BELOW_TITLE = 2.6, 1.4, 5.0
_MAX_ENLARGEMENT = 2.5  # times
_MIN_ENLARGEMENT = 1.25  # times the scale of the first detection; less gains nothing
# Texts that identify a licence.
_TITLE_HEIGHT = 1.2  # heights of labels from which text is a title
_LABELS_WITH_TITLE, _LABELS_ALONE = 2, 4  # labels of fields required with a title of a licence, and without
_LABELS_OF_COLUMN = 2  # labels of fields required of a column of the form
_PERSON = re.compile(r"(?:^|代表[:]?)([㐀-鿿]{2,4})\)?$")
_OTHER_TITLES = ("许可证", "证书", "合同", "发票", "备案凭证")


def read_licence(engine: TextEngine, image: Image, *, extras: bool = False) -> Licence:
    """Read one image (BGR uint8) of a business licence (manual 6.3.4).

    `is_licence` is False and every field "" when the image has no licence. `real_capital` is None on one-column forms.
    With `extras`: angle, confidence and boxes per field, the scope of business, warnings.
    """
    angle = engine.orient(image)
    scan, licence = _read_at_angle(engine, image, angle, extras)
    if licence is None:
        for further in scan.remaining_rotation():
            if licence := _read_at_angle(engine, image, (angle + further) % 360, extras)[1]:
                break
    return licence or Licence()


def _read_at_angle(engine: TextEngine, image: Image, angle: int, extras: bool) -> tuple[DocumentScan, Licence | None]:
    upright = geometry.rotate(image, angle)
    quads = engine.detect(upright, limit_side=DETECT_SIDE)
    scan = DocumentScan(engine, remove_red_ink(upright), quads)
    if extras:
        scan.recognise(lambda s: s.h < UPRIGHT * s.length)  # the scope of business too
    found = recognise_fields(scan)
    if (not found or _has_small_text(scan)) and (closer := _enlarged_scan(engine, scan)) and recognise_fields(closer):
        scan, found = closer, True
    if not found:
        return scan, None
    layout = lay_out(scan.strips, lambda *region: _read_region(scan, *region))
    if not _is_licence(scan, layout):
        return scan, None
    layout = _reread_name(layout, scan)
    licence = assemble(layout, [s.text or "" for s in scan.strips])
    if not _two_columns(layout):
        licence = replace(licence, real_capital=None)
    return scan, replace(licence, extras=_extras(layout, licence, angle, image)) if extras else licence


def _reread_name(layout: Layout, scan: DocumentScan) -> Layout:
    """The layout with improbable characters of the representative's or deputy's name replaced."""
    rows = layout.values.get("legal_rep", ())
    segment = rows[-1][-1] if rows else None
    match = _PERSON.search(segment.text) if segment else None
    if segment is None or match is None:
        return layout
    better = names.correct_name(match[1], segment, scan.candidates)
    text = segment.text[: match.start(1)] + better + segment.text[match.end(1) :]
    return layout.with_last_segment("legal_rep", replace(segment, text=text))


def _extras(layout: Layout, licence: Licence, angle: int, image: Image) -> dict[str, object]:
    sources = {key: [p for row in rows for p in row] for key, rows in layout.values.items()}
    fields = field_extras(sources, angle, image)
    warnings = border_warnings(fields, image) + image_warnings(image)
    if licence.union_id and not checks.is_valid_credit_code(licence.union_id):
        warnings.insert(0, "number_does_not_check")
    return {
        "angle": angle,
        "fields": fields,
        "scope": layout.text("_scope"),
        "authority": layout.authority,
        "warnings": warnings,
    }


def _has_small_text(scan: DocumentScan) -> bool:
    """Whether the text was so small at the scale of detection that lines may have been missed."""
    h = float(np.median([p.h for p in field_labels(scan)]))
    return bool(h * min(1.0, DETECT_SIDE / max(scan.image.shape[:2])) < MIN_TEXT_HEIGHT)


def _enlarged_scan(engine: TextEngine, scan: DocumentScan) -> DocumentScan | None:
    """A scan of the licence alone, enlarged, located by its title; None without a title or when it gains nothing."""
    title = next((s for s in scan.strips if TITLE in (s.text or "")), None)
    if title is None:
        return None
    height, width = scan.image.shape[:2]
    least, unit = _TITLE_CHARACTERS
    (x, y), w = np.mean(title.quad, axis=0), title.length / max(least, len(title.text or "")) * unit
    x0, x1 = max(0, round(x - _BESIDE_TITLE * w)), min(width, round(x + _BESIDE_TITLE * w))
    y0, y1 = max(0, round(y - _OVER_TITLE * w)), min(height, round(y + _BELOW_TITLE * w))
    part = scan.image[y0:y1, x0:x1]
    enlarged = min(_MAX_ENLARGEMENT, ENLARGED_SIDE / max(part.shape[:2]))
    if enlarged < _MIN_ENLARGEMENT * min(1.0, DETECT_SIDE / max(height, width)):
        return None
    part = np.asarray(cv2.resize(part, None, fx=enlarged, fy=enlarged, interpolation=cv2.INTER_CUBIC), np.uint8)
    quads = engine.detect(part, limit_side=ENLARGED_SIDE)
    corners = np.asarray(quads, np.float64).reshape(-1, 4, 2) / enlarged + (x0, y0)
    return DocumentScan(engine, scan.image, [as_quad(q) for q in corners])


def _read_region(scan: DocumentScan, u0: float, u1: float, v: float, h: float) -> TextSegment | None:
    strip = scan.recognise_region(u0, u1, v, h)
    return (
        TextSegment(None, strip.text or "", u0, u1, v, h, strip)
        if strip.text and strip.score > MIN_REGION_SCORE
        else None
    )


def _is_licence(scan: DocumentScan, layout: Layout) -> bool:
    """Whether there is the title of a licence, or enough labels of fields and no other title."""
    labels = layout.keys & FIELDS
    usual = float(np.median([c.h for c in layout.columns])) if layout.columns else 0.0
    # Oblique text such as 仅供合同使用 is a watermark, not a title.
    titles = [s.text or "" for s in scan.strips if s.h > _TITLE_HEIGHT * usual and not s.is_oblique]
    if any(TITLE in t for t in titles):
        return len(labels) >= _LABELS_WITH_TITLE
    return len(labels) >= _LABELS_ALONE and not any(w in t for t in titles for w in _OTHER_TITLES)


def _two_columns(layout: Layout) -> bool:
    full = [c for c in layout.columns if len(layout.keys & {p.key for p in c.labels} & FIELDS) >= _LABELS_OF_COLUMN]
    return len(full) > 1 or "real_capital" in layout.keys
