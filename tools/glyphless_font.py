"""Makes service/cli/ocr/glyphless.ttf, the font of the invisible text in searchable PDF files.

Every character of a document shows its second glyph, one em wide. Its outline is a line without area: nothing to paint,
but readers find text by the box of the outline.

    python -m tools.glyphless_font
"""

from __future__ import annotations

import io
from pathlib import Path

from fontTools.fontBuilder import FontBuilder
from fontTools.pens.ttGlyphPen import TTGlyphPen

FONT = Path(__file__).parents[1] / "service" / "cli" / "ocr" / "glyphless.ttf"
EM = 1000  # units of an em; ascent and descent in them add up to one
ASCENT, DESCENT = 880, -120
NAME = "InkGate Invisible"


def make() -> bytes:
    """The TrueType file."""
    glyphs = [".notdef", "blank"]
    font = FontBuilder(EM, isTTF=True)
    font.setupGlyphOrder(glyphs)
    font.setupCharacterMap({0x20: "blank"})
    empty, line = TTGlyphPen(None), TTGlyphPen(None)
    line.moveTo((0, DESCENT))
    line.lineTo((EM, ASCENT))
    line.closePath()
    font.setupGlyf({".notdef": empty.glyph(), "blank": line.glyph()})
    font.setupHorizontalMetrics(dict.fromkeys(glyphs, (EM, 0)))
    font.setupHorizontalHeader(ascent=ASCENT, descent=DESCENT)
    names = {"familyName": NAME, "styleName": "Regular", "fullName": NAME, "psName": NAME.replace(" ", "")}
    font.setupNameTable(names, mac=False)
    font.setupOS2(sTypoAscender=ASCENT, sTypoDescender=DESCENT, usWinAscent=ASCENT, usWinDescent=-DESCENT)
    font.setupPost()
    font.font["head"].created = font.font["head"].modified = 0
    font.font.recalcTimestamp = False
    out = io.BytesIO()
    font.save(out)
    return out.getvalue()


if __name__ == "__main__":
    FONT.write_bytes(make())
