"""Engine results into the contract's elements: plain JSON types, key names and order of manual 6.3.1 to 6.3.4."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from inkgate.engines.interfaces import Reader
from inkgate.engines.types import IdCard, Licence, Page, Plate, Quad

Element = dict[str, Any]

_IDCARD_KEYS = ("name", "sex", "nation", "birthday", "idn", "addr", "org", "validperiod")
_LICENCE_KEYS = (
    "union_id",
    "regist_no",
    "name",
    "type",
    "addr",
    "legal_rep",
    "regist_capital",
    "establish_date",
    "operation_period",
)


def element(reader: Reader, capability: str, image: bytes, extras: bool, plate_types: Mapping[str, str]) -> Element:
    """Read one picture and put the answer into its contract form. Raises what the reader raises."""
    match capability:
        case "general":
            return general(reader.general(image), extras)
        case "idcard":
            return idcard(reader.idcard(image, extras=extras), extras)
        case "plate":
            return plate(reader.plate(image, extras=extras), plate_types, extras)
        case "licence":
            return licence(reader.licence(image, extras=extras), extras)
    raise ValueError(f"no capability {capability!r}")


def general(page: Page, extras: bool = False) -> Element:
    """Manual 6.3.1: `name` counts from "0", `box` is eight floats: left-top, right-top, right-bottom, left-bottom."""
    detail = [
        {"name": str(index), "text": line.text, "box": [float(value) for point in line.quad for value in point]}
        for index, line in enumerate(page.lines)
    ]
    answer: Element = {"text_line": len(detail), "detail": detail}
    if extras:
        answer["extras"] = {
            "width": page.width,
            "height": page.height,
            "angle": page.angle,
            "scores": [round(line.score, 4) for line in page.lines],
        }
    return answer


def idcard(card: IdCard, extras: bool = False) -> Element:
    """Manual 6.3.2: all eight keys always; the last three keys are fixed values."""
    answer: Element = {
        "note": card.note,
        "detail": {key: getattr(card, key) for key in _IDCARD_KEYS},
        "idcard_face": "no face",
        "demo_image": "demo_image",
        "risk": "normal",
    }
    if extras:
        answer["extras"] = dict(card.extras)
    return answer


def plate(plates: Sequence[Plate], types: Mapping[str, str], extras: bool = False) -> Element:
    """Manual 6.3.3: the key of the count holds blanks, `box` is four pairs of integers; a kind without a name stays."""
    detail = [
        {
            "box": _integers(found.quad),
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


def licence(found: Licence, extras: bool = False) -> Element:
    """Manual 6.3.4: `real_capital` only where the form has the column."""
    detail = {key: getattr(found, key) for key in _LICENCE_KEYS}
    if found.real_capital is not None:
        detail["real_capital"] = found.real_capital
    answer: Element = {
        "license_type": "Business License" if found.is_licence else "Not Business License",
        "detail": detail,
    }
    if extras:
        answer["extras"] = dict(found.extras)
    return answer


def _integers(quad: Quad) -> list[list[int]]:
    return [[round(x), round(y)] for x, y in quad]
