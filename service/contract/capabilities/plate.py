"""Number plates of vehicles (manual 6.3.3): all in an image, with their quadrilaterals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.resources import files
from types import MappingProxyType, SimpleNamespace
from typing import Any, Protocol

from inkgate.service.contract.capability import PREFIX, Capability, Element, Options, manual_packs
from inkgate.service.contract.code_tables import DOCUMENT_ROWS, Fault, code_table
from inkgate.service.contract.json_schema import COUNT, TEXT, list_of, object_of
from inkgate.service.contract.views import Mark, View, detail_list

_SAMPLES = files("inkgate.service") / "samples"
_POINT = list_of({"type": "integer"}, least=2, most=2)

PLATE_TYPES: Mapping[str, str] = MappingProxyType({"blue": "蓝牌", "yellow": "黄牌", "green": "新能源绿牌"})
"""What `plate_type` says for each kind of plate, unless the setting worker.plate_types says otherwise."""


class Plate(Protocol):
    """A plate: four corners in pixels, its kind ("blue" …), text, confidence in 0..1, rows (1 or 2), whether it is of
    the kinds in the manual, and the score of each character."""

    @property
    def quad(self) -> Sequence[Sequence[float]]: ...
    @property
    def kind(self) -> str: ...
    @property
    def text(self) -> str: ...
    @property
    def confidence(self) -> float: ...
    @property
    def rows(self) -> int: ...
    @property
    def in_scope(self) -> bool: ...
    @property
    def char_scores(self) -> Sequence[float]: ...


def element(plates: Sequence[Plate], extras: bool, options: Options) -> Element:
    """The key of the count holds blanks, `box` is four pairs of integers; a kind without a name in
    `options["plate_types"]` stays as it is."""
    types = options.get("plate_types", PLATE_TYPES)
    detail = [
        {
            "box": [[round(x), round(y)] for x, y in found.quad],
            "plate_type": types.get(found.kind, found.kind),
            "platelicense": found.text,
            "confidence": round(float(found.confidence), 4),
        }
        for found in plates
    ]
    answer: Element = {"number of plate licenses": len(detail), "detail": detail}
    if extras:
        answer["extras"] = [
            {
                "kind": found.kind,
                "rows": found.rows,
                "in_scope": found.in_scope,
                "char_scores": [round(float(score), 4) for score in found.char_scores],
            }
            for found in plates
        ]
    return answer


def view(element: Mapping[str, Any]) -> View:
    """The plates, each shown cut out of the image."""
    return View(tuple(_mark(each) for each in detail_list(element)), cut_out=True)


def _mark(found: Mapping[str, Any]) -> Mark:
    corners = tuple(value for point in found["box"] for value in point)
    return Mark(corners, found["platelicense"], found["plate_type"], float(found["confidence"]))


def stub(text: str) -> Sequence[Plate]:
    """One blue plate."""
    quad = ((1.0, 2.0), (101.0, 2.0), (101.0, 34.0), (1.0, 34.0))
    return [SimpleNamespace(quad=quad, kind="blue", text=text, confidence=1.0, rows=1, in_scope=True, char_scores=())]


def failed_keys(row: Fault) -> Element:
    """The table names the keys errorCode and errorMessage (strings), its example err_code and err_msg: all four."""
    return {"errorCode": str(row.code), "errorMessage": row.details}


PLATE = Capability(
    name="plate",
    title="车牌识别",
    title_en="Licence plate",
    paths=(PREFIX + "2gt54ed8660w/driven-plate-ocr/platelicense.json",),
    faults=code_table(
        {
            **DOCUMENT_ROWS,
            "object": (4002, "body传入不是字典"),
            "dimensions": (4011, "图片尺寸不符合要求,分辨率长宽尺寸应不高于5000不低于32"),
        }
    ),
    schema=object_of(
        {
            "number of plate licenses": COUNT,
            "detail": list_of(
                object_of(
                    {
                        "box": list_of(_POINT, least=4, most=4),
                        "plate_type": TEXT,
                        "platelicense": TEXT,
                        "confidence": {"type": "number", "minimum": 0, "maximum": 1},
                    }
                )
            ),
        }
    ),
    element=element,
    view=view,
    stub=stub,
    failed_keys=failed_keys,
    sample=_SAMPLES / "plate.jpg",
    example=_SAMPLES / "plate.json",
    packs=manual_packs(1350, 9600, 39000, 78000),
)
