"""Business licences (manual 6.3.4): one image per call, free of charge."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.resources import files
from types import SimpleNamespace
from typing import Any

from inkgate.service.contract.capability import MIB, PREFIX, AnswerField, Capability, Element, Options
from inkgate.service.contract.code_tables import code_table
from inkgate.service.contract.json_schema import TEXT, object_schema
from inkgate.service.contract.views import View, detail_fields

_SAMPLES = files("inkgate.service") / "samples"
_KEYS = (
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
_REAL_CAPITAL = "real_capital"


def element(licence: Any, extras: bool, options: Options) -> Element:
    """`real_capital` is present only if the form has that column.

    `licence` has an attribute for each key (a str), `real_capital` (a str, None on forms without the column),
    `is_licence` (a bool) and a mapping `extras`.
    """
    detail = {key: getattr(licence, key) for key in _KEYS}
    if licence.real_capital is not None:
        detail[_REAL_CAPITAL] = licence.real_capital
    answer: Element = {
        "license_type": "Business License" if licence.is_licence else "Not Business License",
        "detail": detail,
    }
    if extras:
        answer["extras"] = dict(licence.extras)
    return answer


def view(element: Mapping[str, Any]) -> View:
    """The fields, with the type of the document as summary."""
    return View(fields=detail_fields(element), summary=str(element.get("license_type", "")))


def stub(text: str) -> Any:
    """A licence without paid-in capital, with the company name `text`."""
    empty = dict.fromkeys(_KEYS, "")
    return SimpleNamespace(**{**empty, "name": text, "is_licence": True, _REAL_CAPITAL: None, "extras": {}})


LICENCE = Capability(
    name="licence",
    title="营业执照识别",
    title_en="Business licence",
    paths=(
        PREFIX + "2k8jo3ghhjwg/businesslicense/ocr/v1/BusinessLicense.json",
        PREFIX + "2z0yhhrzgv0g/tts/predict",
    ),
    faults=code_table(
        {
            "empty": (400003, "body内容为空", "Body请求数据为空，没有包含内容"),
            "json": (400004, "body请求体非json格式", "body内容需要符合json要求"),
            "object": (400005, "请求体类型错误", "请求体需为字典，不能为其他类型"),
            "missing": (400006, "必传的参数未传", "必须的参数 ('Action'、 'ImageData') 未传"),
            "unknown": (400007, "传递非法参数", "body字典内有除 ('Action'、 'ImageData') 外的参数"),
            "type": (
                400008,
                "请求体的字段类型错误",
                "请求体的字段 ('Action'、 'ImageData') 类型错误，类型只能为字符串，不能为其他类型",
            ),
            "action": (400009, "Action值设置错误"),
            "none": (400010, "'ImageData'字段值为空字符", "'ImageData'字段的base64字符串转换字节码异常"),
            "base64": (400011, "'ImageData'字段base64数据处理异常"),
            "format": (400012, "请求文件格式不合法", "仅支持 jpeg/png/jpg/bmp 格式"),
            "size": (400013, "图片文件大小不符合要求", "该文件大小不符合要求,静态图片要求小于7M"),
            "decode": (400014, "图片解码错误", "字节码解码为图片错误"),
            "dimensions": (400015, "图片尺寸不符合要求", "分辨率长宽尺寸应不高于5000不低于32"),
            "internal": (500001, "服务接口异常,请联系管理员", "需要联系管理员处理"),
        }
    ),
    max_image_bytes=7 * MIB,
    max_images=1,
    action="BusinessCardOCR",
    schema=object_schema(
        {
            "license_type": {"enum": ["Business License", "Not Business License"]},
            "detail": {"type": "object", "properties": dict.fromkeys((*_KEYS, _REAL_CAPITAL), TEXT)},
        }
    ),
    element=element,
    view=view,
    stub=stub,
    fields=(
        AnswerField("union_id", "统一社会信用代码", "Unified social credit code"),
        AnswerField("regist_no", "注册号", "Registration number"),
        AnswerField("name", "名称", "Name", personal=True),
        AnswerField("type", "类型", "Type"),
        AnswerField("addr", "住所", "Address", personal=True),
        AnswerField("legal_rep", "法定代表人", "Legal representative", personal=True),
        AnswerField("regist_capital", "注册资本", "Registered capital"),
        AnswerField("establish_date", "成立日期", "Established"),
        AnswerField("operation_period", "营业期限", "Operating period"),
        AnswerField(_REAL_CAPITAL, "实收资本", "Paid-in capital"),
    ),
    element_fields=(AnswerField("license_type", "证件类型", "Document type"),),
    sample=_SAMPLES / "licence.jpg",
    example=_SAMPLES / "licence.json",
    commercial=False,
)
