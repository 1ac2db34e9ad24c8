"""Writes PDF files that show the images of the pages, with their text as an invisible layer to search and copy.

A JPEG goes in as it is. The text lies on the quadrilaterals of the lines in an embedded font that paints nothing, whose
characters are numbered per document; a ToUnicode table names them, so that any reader finds them.
"""

from __future__ import annotations

import ctypes
import io
import math
import os
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pypdfium2
import pypdfium2.raw as raw

from inkgate.engines.errors import DecodeError, ImageTooLarge
from inkgate.engines.image_header import JPEG
from inkgate.engines.imaging import decode
from inkgate.engines.jpeg_structure import parse_jpeg
from inkgate.engines.types import Image
from inkgate.service.contract.views import Mark

POINTS_PER_INCH = 72
JPEG_QUALITY = 85  # of 0 to 100, for images that are no plain JPEG
VERTICAL_ASPECT = 1.5  # a line of several characters that is so much higher than wide runs downwards
MAX_CHARACTERS = 65_535  # different ones of a document; a code has 16 bits
DESCENT = 0.12  # of the font, in ems: the part of a line below its baseline
_CMAP_SECTION = 100  # entries of one section at most (Adobe technical note 5411)


@dataclass(frozen=True, slots=True)
class _Run:
    """A text with its matrix: the unit square of each character to points of the page."""

    text: str
    matrix: tuple[float, float, float, float, float, float]


@dataclass(frozen=True, slots=True)
class _Sheet:
    handle: Any
    runs: list[_Run]


class SearchablePdf:
    """A document in memory. `dpi` is the resolution of its images: pixels of a page for an inch of paper."""

    def __init__(self, dpi: int, max_pixels: int) -> None:
        self._dpi, self._max_pixels = dpi, max_pixels
        self._document = pypdfium2.PdfDocument.new()
        self._sheets: list[_Sheet] = []

    def close(self) -> None:
        """Free the document."""
        self._document.close()

    def add(self, image: bytes, marks: Iterable[Mark]) -> None:
        """Add a page; `marks` are its lines in pixels of the image. Raises inkgate.engines.errors.DecodeError."""
        try:
            pixels = decode(image, self._max_pixels)
        except ImageTooLarge as error:
            raise DecodeError(str(error)) from None
        height, width = pixels.shape[:2]
        jpeg = _plain_jpeg(image, pixels)
        if jpeg is None:
            written, data = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
            if not written:
                raise DecodeError("the image cannot be encoded")
            jpeg = data.tobytes()
        scale = POINTS_PER_INCH / self._dpi
        page = self._document.new_page(width * scale, height * scale)
        shown = pypdfium2.PdfImage.new(self._document)
        shown.load_jpeg(io.BytesIO(jpeg), inline=True)
        shown.set_matrix(pypdfium2.PdfMatrix().scale(width * scale, height * scale))
        page.insert_obj(shown)
        page.gen_content()
        self._sheets.append(_Sheet(page, list(_runs(marks, scale, height * scale))))

    def save(self, path: Path) -> None:
        """Write the document; a reader of `path` never sees a part of it. Raises OSError."""
        self._add_text()
        out = io.BytesIO()
        self._document.save(out)
        descriptor, draft = tempfile.mkstemp(dir=path.parent, prefix=".inkgate-", suffix=".part")
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(out.getbuffer())
                os.fchmod(descriptor, 0o666 & ~_umask())
            Path(draft).replace(path)
        except BaseException:
            Path(draft).unlink(missing_ok=True)
            raise

    def _add_text(self) -> None:
        """Add the text layer. The font comes last, because it lists the characters of all pages."""
        characters = sorted({each for sheet in self._sheets for run in sheet.runs for each in run.text})
        codes = {each: code for code, each in enumerate(characters[:MAX_CHARACTERS], 1)}
        if not codes:
            return
        font = _load_font(self._document, codes)
        for sheet in self._sheets:
            for run in sheet.runs:
                _insert(self._document, sheet.handle, font, codes, run)
            sheet.handle.gen_content()


def _runs(marks: Iterable[Mark], scale: float, page_height: float) -> Iterator[_Run]:
    """The texts with their places in points, from the bottom left of the page."""
    for mark in marks:
        text = "".join(each for each in mark.text if each.isprintable())
        if not text:
            continue
        corners = [(mark.box[n] * scale, page_height - mark.box[n + 1] * scale) for n in range(0, 8, 2)]
        top_left, top_right, bottom_right, bottom_left = corners
        vertical = len(text) > 1 and math.dist(top_left, bottom_left) > VERTICAL_ASPECT * math.dist(top_left, top_right)
        # The baseline runs along the lower edge; that of a line which runs downwards along its left edge.
        start, end, above = (top_left, bottom_left, top_right) if vertical else (bottom_left, bottom_right, top_left)
        along = ((end[0] - start[0]) / len(text), (end[1] - start[1]) / len(text))
        up = (above[0] - start[0], above[1] - start[1])
        if math.hypot(*along) and math.hypot(*up):
            raised = (start[0] + DESCENT * up[0], start[1] + DESCENT * up[1])
            yield _Run(text, (*along, *up, *raised))


def _insert(document: Any, page: Any, font: Any, codes: Mapping[str, int], run: _Run) -> None:
    used = [codes[each] for each in run.text if each in codes]
    item = raw.FPDFPageObj_CreateTextObj(document.raw, font, 1.0)
    raw.FPDFText_SetCharcodes(item, (ctypes.c_uint32 * len(used))(*used), len(used))
    raw.FPDFTextObj_SetTextRenderMode(item, raw.FPDF_TEXTRENDERMODE_INVISIBLE)
    raw.FPDFPageObj_TransformF(item, raw.FS_MATRIX(*run.matrix))
    raw.FPDFPage_InsertObject(page.raw, item)


def _load_font(document: Any, codes: Mapping[str, int]) -> Any:
    data = (files("inkgate.service.cli.ocr") / "glyphless.ttf").read_bytes()
    glyphs = b"\0\0" + b"\0\1" * len(codes)  # every code shows glyph 1, which paints nothing
    font = raw.FPDFText_LoadCidType2Font(
        document.raw, _buffer(data), len(data), _to_unicode(codes).encode(), _buffer(glyphs), len(glyphs)
    )
    if not font:
        raise RuntimeError("pdfium does not load the font of the text layer")
    return font


def _buffer(data: bytes) -> Any:
    return (ctypes.c_uint8 * len(data)).from_buffer_copy(data)


def _to_unicode(codes: Mapping[str, int]) -> str:
    """The CMap from codes to Unicode (ISO 32000-1, 9.10.3)."""
    rows = [f"<{code:04X}> <{each.encode('utf-16-be').hex().upper()}>" for each, code in codes.items()]
    lines = [
        "/CIDInit /ProcSet findresource begin",
        "12 dict begin",
        "begincmap",
        "/CIDSystemInfo << /Registry (Adobe) /Ordering (UCS) /Supplement 0 >> def",
        "/CMapName /Adobe-Identity-UCS def",
        "/CMapType 2 def",
        "1 begincodespacerange",
        "<0000> <FFFF>",
        "endcodespacerange",
    ]
    for at in range(0, len(rows), _CMAP_SECTION):
        section = rows[at : at + _CMAP_SECTION]
        lines += [f"{len(section)} beginbfchar", *section, "endbfchar"]
    return "\n".join([*lines, "endcmap", "CMapName currentdict /CMap defineresource pop", "end", "end"])


def _plain_jpeg(image: bytes, pixels: Image) -> bytes | None:
    """The file of a JPEG that can be shown as it is: grey or colour, and upright without an EXIF turn. None otherwise.

    `pixels` is the image with its EXIF turn.
    """
    if not image.startswith(JPEG):
        return None
    file = parse_jpeg(image)
    if file.cmyk or file.arithmetic:
        return None
    stored = cv2.imdecode(np.frombuffer(file.data, np.uint8), cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)
    return file.data if stored is not None and np.array_equal(stored, pixels) else None


def _umask() -> int:
    mask = os.umask(0o022)
    os.umask(mask)
    return mask
