"""Identity cards of the People's Republic (manual 6.3.2), one side per image."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.resources import files
from types import SimpleNamespace
from typing import Any

from inkgate.service.contract.capability import PREFIX, AnswerField, Capability, Element, Options, manual_pack_prices
from inkgate.service.contract.code_tables import DOCUMENT_ROWS, code_table
from inkgate.service.contract.json_schema import TEXT, object_schema
from inkgate.service.contract.views import View, detail_fields

_SAMPLES = files("inkgate.service") / "samples"
_KEYS = ("name", "sex", "nation", "birthday", "idn", "addr", "org", "validperiod")


def element(card: Any, extras: bool, options: Options) -> Element:
    """All eight keys are always present; the last three keys of the element are constant.

    `card` has an attribute for each key (a str, "" if it is not on this side), `note` ("front" for the emblem
    side, "back" for the portrait side, "" for no card) and a mapping `extras`.
    """
    answer: Element = {
        "note": card.note,
        "detail": {key: getattr(card, key) for key in _KEYS},
        "idcard_face": "no face",
        "demo_image": "demo_image",
        "risk": "normal",
    }
    if extras:
        answer["extras"] = dict(card.extras)
    return answer


def view(element: Mapping[str, Any]) -> View:
    """The fields, with the side of the card as summary."""
    return View(fields=detail_fields(element), summary=str(element.get("note") or "no card found"))


def stub(text: str) -> Any:
    """The portrait side of a card with the name `text`."""
    return SimpleNamespace(**{**dict.fromkeys(_KEYS, ""), "note": "back", "name": text, "extras": {}})


IDCARD = Capability(
    name="idcard",
    title="身份证识别",
    title_en="Identity card",
    paths=(PREFIX + "2f3os7qq79xc/IdentityCard/ocr/v1/idcard.json",),
    case_insensitive_segments=frozenset({"identitycard"}),  # the manual uses both IdentityCard and identityCard
    faults=code_table(
        {
            **DOCUMENT_ROWS,
            "object": (4002, "body传入的不是字典"),
            "dimensions": (4011, "图片尺寸不符合要求，分辨率长宽尺寸应小于5000大于32"),
            "method": (4012, "请求方法错误，请使用POST请求"),
            "path": (4013, "无效的请求路径，请确保请求路径正确"),
        }
    ),
    min_side=33,  # "大于32 小于5000": the only table that excludes both ends
    max_side=4999,
    schema=object_schema(
        {
            "note": {"enum": ["front", "back", ""]},
            "detail": object_schema(dict.fromkeys(_KEYS, TEXT)),
            **dict.fromkeys(("idcard_face", "demo_image", "risk"), TEXT),
        }
    ),
    element=element,
    view=view,
    stub=stub,
    fields=(
        AnswerField("name", "姓名", "Name", personal=True),
        AnswerField("sex", "性别", "Sex", personal=True),
        AnswerField("nation", "民族", "Ethnic group", personal=True),
        AnswerField("birthday", "出生", "Date of birth", personal=True),
        AnswerField("addr", "住址", "Address", personal=True),
        AnswerField("idn", "公民身份号码", "Citizen number", personal=True),
        AnswerField("org", "签发机关", "Issued by", personal=True),
        AnswerField("validperiod", "有效期限", "Valid", personal=True),
    ),
    element_fields=(AnswerField("note", "证件面", "Side"),),
    success_code="0",  # a string by the table of manual 6.3.2
    sample=_SAMPLES / "idcard.jpg",
    example=_SAMPLES / "idcard.json",
    packs=manual_pack_prices(1350, 9600, 39000, 78000),
)
