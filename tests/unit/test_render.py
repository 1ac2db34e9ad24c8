"""Elements against manual 6.3.1 to 6.3.4: key names, order, types, fixed values."""

from __future__ import annotations

import json

import pytest

from inkgate.engines.types import IdCard, Licence, Line, Page, Plate
from inkgate.service.contract.capabilities import general, idcard, licence, plate
from inkgate.service.worker import render
from inkgate.service.worker.stub import StubReader, stub_text

QUAD = ((1.4, 2.6), (10.0, 2.0), (10.0, 5.0), (1.0, 5.0))
TYPES = {"blue": "蓝牌", "yellow": "黄牌", "green": "新能源绿牌"}


def test_general() -> None:
    page = Page((Line(QUAD, "甲", 0.9), Line(QUAD, "乙", 0.8)), 20, 10)
    assert general.element(page, False, {}) == {
        "text_line": 2,
        "detail": [
            {"name": "0", "text": "甲", "box": [1.4, 2.6, 10.0, 2.0, 10.0, 5.0, 1.0, 5.0]},
            {"name": "1", "text": "乙", "box": [1.4, 2.6, 10.0, 2.0, 10.0, 5.0, 1.0, 5.0]},
        ],
    }


def test_blank_page() -> None:
    assert general.element(Page((), 20, 10), False, {}) == {"text_line": 0, "detail": []}


def test_idcard_always_has_all_keys_in_order() -> None:
    answer = idcard.element(IdCard(note="front", org="某市公安局"), False, {})
    assert list(answer) == ["note", "detail", "idcard_face", "demo_image", "risk"]
    assert list(answer["detail"]) == ["name", "sex", "nation", "birthday", "idn", "addr", "org", "validperiod"]
    assert answer["detail"]["org"] == "某市公安局" and answer["detail"]["name"] == ""
    assert (answer["idcard_face"], answer["demo_image"], answer["risk"]) == ("no face", "demo_image", "normal")


def test_plate() -> None:
    answer = plate.element([Plate(QUAD, "green", "浙AD12345", 0.98765)], False, {"plate_types": TYPES})
    assert answer == {
        "number of plate licenses": 1,
        "detail": [
            {
                "box": [[1, 3], [10, 2], [10, 5], [1, 5]],
                "plate_type": "新能源绿牌",
                "platelicense": "浙AD12345",
                "confidence": 0.9877,
            }
        ],
    }


def test_no_plate() -> None:
    assert plate.element([], False, {"plate_types": TYPES}) == {"number of plate licenses": 0, "detail": []}


def test_licence_leaves_real_capital_out_of_one_column_forms() -> None:
    answer = licence.element(Licence(is_licence=True, name="某公司"), False, {})
    assert answer["license_type"] == "Business License"
    assert list(answer["detail"]) == [
        "union_id",
        "regist_no",
        "name",
        "type",
        "addr",
        "legal_rep",
        "regist_capital",
        "establish_date",
        "operation_period",
    ]
    assert licence.element(Licence(real_capital=""), False, {})["detail"]["real_capital"] == ""
    assert licence.element(Licence(), False, {})["license_type"] == "Not Business License"


@pytest.mark.parametrize("capability", ["general", "idcard", "plate", "licence"])
@pytest.mark.parametrize("extras", [False, True])
def test_every_capability_gives_plain_json(capability: str, extras: bool) -> None:
    answer = render.element(StubReader(), capability, b"picture", extras, {"plate_types": TYPES})
    assert json.loads(json.dumps(answer)) == answer
    assert ("extras" in answer) is extras
    assert stub_text(b"picture") in json.dumps(answer)


def test_unknown_capability() -> None:
    with pytest.raises(ValueError, match="handwriting"):
        render.element(StubReader(), "handwriting", b"", False, {"plate_types": TYPES})
