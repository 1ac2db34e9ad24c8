"""General text (manual 6.3.1): every line of a page, with its quadrilateral."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.resources import files
from types import SimpleNamespace
from typing import Any, Protocol

from inkgate.service.contract.capability import PREFIX, Capability, Element, Options, manual_pack_prices
from inkgate.service.contract.code_tables import code_table
from inkgate.service.contract.json_schema import COUNT, TEXT, array_schema, object_schema
from inkgate.service.contract.views import Mark, View, detail_list

_SAMPLES = files("inkgate.service") / "samples"
_BOX = array_schema({"type": "number"}, min_items=8, max_items=8)


class Line(Protocol):
    """A text line: four corners in pixels of the image, the text, and the mean score of its characters in 0..1."""

    @property
    def quad(self) -> Sequence[Sequence[float]]: ...
    @property
    def text(self) -> str: ...
    @property
    def score(self) -> float: ...


class Page(Protocol):
    """The lines of an image of `width` by `height` pixels; `angle` degrees clockwise brought it upright."""

    @property
    def lines(self) -> Sequence[Line]: ...
    @property
    def width(self) -> int: ...
    @property
    def height(self) -> int: ...
    @property
    def angle(self) -> int: ...


def element(page: Page, extras: bool, options: Options) -> Element:
    """`name` is the index from "0"; `box` is eight floats: left-top, right-top, right-bottom, left-bottom."""
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


def view(element: Mapping[str, Any]) -> View:
    """The lines with their positions."""
    return View(tuple(Mark(tuple(each["box"]), each["text"]) for each in detail_list(element)))


def stub(text: str) -> Page:
    """A page of 102 by 36 pixels with one line."""
    line = SimpleNamespace(quad=((1.0, 2.0), (101.0, 2.0), (101.0, 34.0), (1.0, 34.0)), text=text, score=1.0)
    return SimpleNamespace(lines=(line,), width=102, height=36, angle=0)


GENERAL = Capability(
    name="general",
    title="通用型OCR",
    title_en="General text",
    paths=(
        PREFIX + "2f3p1pnxpqm8/ocrdetect/ocr/v1/image.json",
        PREFIX + "2f3p1pnxpm8/ocrdetect/ocr/v1/image.json",
        PREFIX + "2f3p1pnxppm8/ocrdetect/ocr/v1/image.json",
    ),
    faults=code_table(
        {
            "path": (400001, "请求路径错误"),
            "method": (400002, "请求方法错误", "请求方法错误，请使用 POST 请求"),
            "empty": (400003, "请求体内容为空", "请求体请求数据为空，没有包含内容"),
            "json": (400004, "请求体非 json 格式", "请求体内容需要符合 json 要求"),
            "object": (400005, "请求体类型错误", "请求体需为字典，不能为其他类型"),
            "missing": (400006, "必传的参数未传", "必须的参数 (data) 未传"),
            "type": (400008, "请求体的参数字段类型错误", "data 字段应该是 list 类型"),
            "none": (400009, "请求体的参数字段值为空", "data 列表为空"),
            "base64": (400011, "base64 数据处理异常", "data 字段的 base64 字符串转换字节码异常"),
            "format": (400012, "文件格式不合法", "仅支持 jpeg/png/jpg/bmp 格式"),
            "size": (400013, "文件大小不符合要求", "该文件大小不符合要求，图片要求小于 10M"),
            "many": (400018, "超过个数限制", "data 超过个数限制，最多传 50 张图片"),
            "decode": (410001, "图片解码错误", "字节码解码为图片错误"),
            "dimensions": (410002, "图片尺寸不符合要求", "分辨率长宽尺寸应不高于 5000 不低于 32"),
            "internal": (500001, "OCR服务接口异常，请联系管理员", "需要联系管理员处理"),
        }
    ),
    schema=object_schema(
        {
            "text_line": COUNT,
            "detail": array_schema(object_schema({"name": TEXT, "text": TEXT, "box": _BOX})),
        }
    ),
    element=element,
    view=view,
    stub=stub,
    text_key="text",
    lines_key="text_line",
    sample=_SAMPLES / "general.jpg",
    example=_SAMPLES / "general.json",
    packs=manual_pack_prices(450, 3200, 11500, 22000),
)
