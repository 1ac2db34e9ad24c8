"""The capability `qr`: every QR code in an image, with its text and its corners.

The gateway and the console import this file: nothing here may load a library for images or networks.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.resources import files
from typing import Any

from inkgate.service.contract.capability import PREFIX, Capability, Element, Options, PackPrice
from inkgate.service.contract.code_tables import DOCUMENT_ROWS, code_table
from inkgate.service.contract.json_schema import COUNT, TEXT, list_of, object_of
from inkgate.service.contract.views import Mark, View, detail_list

Found = Sequence[tuple[str, Sequence[float]]]
"""What the reader returns: text and the x and y of four corners, in pixels, of each code."""


def element(found: Found, extras: bool, options: Options) -> Element:
    answer: Element = {
        "count": len(found),
        "detail": [{"text": text, "box": [float(each) for each in box]} for text, box in found],
    }
    if extras:
        answer["extras"] = {"lengths": [len(text) for text, _ in found]}
    return answer


def view(element: Mapping[str, Any]) -> View:
    return View(tuple(Mark(tuple(each["box"]), each["text"]) for each in detail_list(element)))


def stub(text: str) -> Found:
    return [(text, (1, 1, 33, 1, 33, 33, 1, 33))]


QR = Capability(
    name="qr",
    title="二维码识别",
    title_en="QR code",
    paths=(PREFIX + "qrexample001/qr/v1/image.json",),
    faults=code_table(
        {
            **DOCUMENT_ROWS,
            "object": (4002, "body传入的不是字典"),
            "dimensions": (4011, "图片尺寸不符合要求，分辨率长宽尺寸应不高于5000不低于32"),
        }
    ),
    schema=object_of(
        {
            "count": COUNT,
            "detail": list_of(object_of({"text": TEXT, "box": list_of({"type": "number"}, least=8, most=8)})),
        }
    ),
    element=element,
    view=view,
    stub=stub,
    sample=files("inkgate_qr") / "sample.png",
    packs=(PackPrice("10k", 10_000, 9_900), PackPrice("100k", 100_000, 69_000)),
)
