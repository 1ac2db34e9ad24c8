"""Records as bytes and back, texts on a PDF page, and the stored font."""

import io
import math
from pathlib import Path

import numpy as np
import pypdfium2
import pytest
from PIL import Image

from inkgate.service.cli.ocr.output import Csv, JsonLines, NotARecord, Text
from inkgate.service.cli.ocr.record import InputFile, Page, Record, printable, unreadable
from inkgate.service.cli.ocr.searchable_pdf import SearchablePdf
from inkgate.service.contract.capabilities import CAPABILITIES
from inkgate.service.contract.views import Mark
from tools import glyphless_font

GENERAL = CAPABILITIES["general"]
NAMES = ("a.jpg", "-1.jpg", 'quote", comma.jpg', "一\n二\t.jpg", "a page 1/2", "\udcff.jpg", "=== x")


def record(name: str, number: int | None = None, count: int | None = None, text: str = "") -> Record:
    page = Page(InputFile(Path(name), Path(name)), b"", number, count)
    if not text:
        return Record(page, unreadable("cannot be read: gone"))
    detail = [{"name": "0", "text": each, "box": [0.0] * 8} for each in text.split("|")]
    return Record(page, {"text_line": len(detail), "detail": detail})


RECORDS = [
    *(record(name, text='一行 "text"|第二行, =1+1|=== no head\tpage 9/9') for name in NAMES),
    record("b.pdf", 1, 2, "x"),
    record("c.png"),
    record("d.pdf", 2, 2),
]


@pytest.mark.parametrize("format", [JsonLines(), Csv(GENERAL), Text(GENERAL)], ids=["jsonl", "csv", "txt"])
def test_records_are_found_again_wherever_the_file_ends(format):
    parts = [format.encode(each) for each in RECORDS]
    whole = b"".join(parts)
    found = list(format.decode(io.BytesIO(whole)))
    assert [size for _, size in found] == [len(each) for each in parts]
    for (held, _), written in zip(found, RECORDS, strict=True):
        assert held.name == format.key(written.page.file)
        assert (held.number, held.count, held.failed) == (written.page.number, written.page.count, written.failed)
    ends = np.cumsum([len(each) for each in parts])
    for cut in range(len(whole)):
        assert len(list(format.decode(io.BytesIO(whole[:cut])))) == sum(ends <= cut), cut


def test_other_lines_are_no_records():
    for format, text in (
        (JsonLines(), b"[1]\n"),
        (JsonLines(), b"{}\n"),
        (Csv(GENERAL), b"a,b\r\n"),
        (Text(GENERAL), b"x\n\f\n"),
    ):
        with pytest.raises(NotARecord):
            list(format.decode(io.BytesIO(text)))


def test_a_name_is_one_line_of_valid_text():
    assert printable(Path("a\nb\udcff 图.png")) == "a\\nb\\xff 图.png"


def shown(width: int, height: int, marks: list[Mark], tmp_path: Path, **options: object):
    out = io.BytesIO()
    Image.new("RGB", (width, height), "white").save(out, "JPEG", **options)
    made = SearchablePdf(dpi=72, max_pixels=10_000_000)
    made.add(out.getvalue(), marks)
    made.save(tmp_path / "a.pdf")
    made.close()
    return pypdfium2.PdfDocument(tmp_path / "a.pdf")


def rotated(box: tuple[float, ...], degrees: float) -> tuple[float, ...]:
    """The corners, turned clockwise about the first one (y points down)."""
    angle, (x0, y0) = math.radians(degrees), box[:2]
    turned = []
    for x, y in zip(box[::2], box[1::2], strict=True):
        dx, dy = x - x0, y - y0
        turned += [x0 + dx * math.cos(angle) - dy * math.sin(angle), y0 + dx * math.sin(angle) + dy * math.cos(angle)]
    return tuple(turned)


def test_characters_lie_on_their_quadrilateral(tmp_path):
    """Rare characters beyond 16 bits, brackets and backslashes included."""
    text = "开放𠮷(a)\\"
    box = (100.0, 50.0, 340.0, 50.0, 340.0, 90.0, 100.0, 90.0)
    with shown(400, 300, [Mark(box, text)], tmp_path) as document:
        page = document[0].get_textpage()
        assert page.get_text_range() == text
        left, bottom, right, _ = page.get_charbox(0)
        assert (left, bottom) == pytest.approx((100, 300 - 90), abs=0.5)
        assert right == pytest.approx(100 + 240 / len(text), abs=0.5)


@pytest.mark.parametrize("degrees", [10.0, 90.0, 180.0])
def test_tilted_text_runs_along_its_line(tmp_path, degrees):
    box = rotated((200.0, 200.0, 320.0, 200.0, 320.0, 230.0, 200.0, 230.0), degrees)
    with shown(400, 400, [Mark(box, "咨询电话")], tmp_path) as document:
        page = document[0].get_textpage()
        assert page.get_text_range().strip() == "咨询电话"
        first, last = (page.get_charbox(n, loose=True) for n in (0, 3))
        run = (last[0] - first[0], last[1] - first[1])
        expected = (box[4] - box[6], -(box[5] - box[7]))
        assert math.atan2(*run) == pytest.approx(math.atan2(*expected), abs=0.2)


def test_a_line_that_runs_downwards_keeps_its_order(tmp_path):
    box = (100.0, 20.0, 130.0, 20.0, 130.0, 220.0, 100.0, 220.0)
    with shown(200, 300, [Mark(box, "青禾软件")], tmp_path) as document:
        page = document[0].get_textpage()
        assert page.get_text_range().strip().replace("\r\n", "") == "青禾软件"
        assert page.get_charbox(0, loose=True)[3] > page.get_charbox(3, loose=True)[3] + 100


def test_a_turned_jpeg_is_shown_as_a_viewer_shows_it(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # a quarter turn clockwise
    with shown(400, 300, [], tmp_path, exif=exif) as document:
        assert document[0].get_size() == pytest.approx((300, 400))


def test_the_stored_font_is_the_one_that_the_tool_makes():
    assert glyphless_font.FONT.read_bytes() == glyphless_font.make()
