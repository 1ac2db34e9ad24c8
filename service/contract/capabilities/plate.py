"""Vehicle licence plates (manual 6.3.3): all plates of an image, with their quadrilaterals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.resources import files
from types import MappingProxyType, SimpleNamespace
from typing import Any, Protocol

from inkgate.service.contract.capability import PREFIX, AnswerField, Capability, Element, Options, manual_pack_prices
from inkgate.service.contract.code_tables import DOCUMENT_ROWS, Fault, code_table
from inkgate.service.contract.json_schema import COUNT, TEXT, array_schema, object_schema
from inkgate.service.contract.views import Mark, View, detail_list

_SAMPLES = files("inkgate.service") / "samples"
_POINT = array_schema({"type": "integer"}, min_items=2, max_items=2)

PLATE_TYPES: Mapping[str, str] = MappingProxyType({"blue": "蓝牌", "yellow": "黄牌", "green": "新能源绿牌"})
"""Default values of `plate_type` by kind of plate; the setting worker.plate_types replaces them."""


class Plate(Protocol):
    """A plate: four corners in pixels, its kind ("blue" …), text, confidence in 0..1, rows (1 or 2), whether the manual
    lists its kind, and the score of each character."""

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
    """The key of the count contains spaces; `box` is four pairs of integers. A kind that is not in
    `options["plate_types"]` is returned unchanged."""
    types = options.get("plate_types", PLATE_TYPES)
    detail = [
        {
            "box": [[round(x), round(y)] for x, y in plate.quad],
            "plate_type": types.get(plate.kind, plate.kind),
            "platelicense": plate.text,
            "confidence": round(float(plate.confidence), 4),
        }
        for plate in plates
    ]
    answer: Element = {"number of plate licenses": len(detail), "detail": detail}
    if extras:
        answer["extras"] = [
            {
                "kind": plate.kind,
                "rows": plate.rows,
                "in_scope": plate.in_scope,
                "char_scores": [round(float(score), 4) for score in plate.char_scores],
            }
            for plate in plates
        ]
    return answer


def view(element: Mapping[str, Any]) -> View:
    """The plates, with a crop of each."""
    return View(tuple(_mark(plate) for plate in detail_list(element)), show_crops=True)


def _mark(plate: Mapping[str, Any]) -> Mark:
    corners = tuple(value for point in plate["box"] for value in point)
    return Mark(corners, plate["platelicense"], plate["plate_type"], float(plate["confidence"]))


def stub(text: str) -> Sequence[Plate]:
    """One blue plate."""
    quad = ((1.0, 2.0), (101.0, 2.0), (101.0, 34.0), (1.0, 34.0))
    return [SimpleNamespace(quad=quad, kind="blue", text=text, confidence=1.0, rows=1, in_scope=True, char_scores=())]


def failed_keys(row: Fault) -> Element:
    """The table of the manual has errorCode and errorMessage (strings), its example err_code and err_msg: send all."""
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
    schema=object_schema(
        {
            "number of plate licenses": COUNT,
            "detail": array_schema(
                object_schema(
                    {
                        "box": array_schema(_POINT, min_items=4, max_items=4),
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
    item_fields=(
        AnswerField("platelicense", "车牌号", "Plate number", personal=True),
        AnswerField("plate_type", "车牌类型", "Plate type"),
    ),
    failed_keys=failed_keys,
    sample=_SAMPLES / "plate.jpg",
    example=_SAMPLES / "plate.json",
    packs=manual_pack_prices(1350, 9600, 39000, 78000),
)
