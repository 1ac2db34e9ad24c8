"""The four capabilities as data: paths, limits and code tables (manual 6.3.1 to 6.3.4, point 10 of each).

Nothing else in the service knows a path, a limit or a business code.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

MIB = 1024 * 1024
PREFIX = "/v1/aiop/api/"


@dataclass(frozen=True, slots=True)
class Fault:
    """One row of a code table: the number, 错误信息 and 错误描述."""

    code: int
    message: str
    details: str


@dataclass(frozen=True, slots=True)
class Capability:
    """What the gateway must know of a capability.

    `paths` lists every accepted spelling, the canonical one first. Sides are pixels, both ends inclusive.
    `single` marks the licence: one image, request-level faults only. `faults` maps fault names to table rows; a
    capability without a row for wrong paths or methods leaves them to the gateway's own codes.
    """

    name: str
    title: str
    paths: tuple[str, ...]
    faults: Mapping[str, Fault]
    max_image_bytes: int
    min_side: int = 32
    max_side: int = 5000
    max_images: int = 50
    single: bool = False
    commercial: bool = True


def _table(rows: dict[str, tuple[int, str] | tuple[int, str, str]]) -> Mapping[str, Fault]:
    return MappingProxyType({name: Fault(row[0], row[1], row[-1]) for name, row in rows.items()})


_GENERAL = _table(
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
)

_FORMAT = (4009, "请求文件格式不合法，仅支持 jpeg/png/jpg/bmp 格式")
_IMAGE_LIST: dict[str, tuple[int, str] | tuple[int, str, str]] = {
    "empty": (4001, "请求JSON处理异常"),
    "json": (4001, "请求JSON处理异常"),
    "missing": (4003, "请求中未包data字段"),
    "type": (4004, "data字段图片数据不是list格式"),
    "none": (4005, "图片list内图片数量为0"),
    "many": (4006, "图片list内图片数量超过50张"),
    "base64": (4008, "base64数据处理异常"),
    "format": _FORMAT,
    "decode": _FORMAT,  # good first bytes, corrupt inside: these two tables have no row of their own for it
    "size": (4010, "单张图片大小超过10M"),
    "internal": (5000, "OCR服务接口异常，请联系管理员"),
}
_IDCARD = _table(
    {
        **_IMAGE_LIST,
        "object": (4002, "body传入的不是字典"),
        "dimensions": (4011, "图片尺寸不符合要求，分辨率长宽尺寸应小于5000大于32"),
        "method": (4012, "请求方法错误，请使用POST请求"),
        "path": (4013, "无效的请求路径，请确保请求路径正确"),
    }
)
_PLATE = _table(
    {
        **_IMAGE_LIST,
        "object": (4002, "body传入不是字典"),
        "dimensions": (4011, "图片尺寸不符合要求,分辨率长宽尺寸应不高于5000不低于32"),
    }
)
_LICENCE = _table(
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
)

GENERAL = Capability(
    name="general",
    title="通用型OCR",
    paths=(
        PREFIX + "2f3p1pnxpqm8/ocrdetect/ocr/v1/image.json",
        PREFIX + "2f3p1pnxpm8/ocrdetect/ocr/v1/image.json",
        PREFIX + "2f3p1pnxppm8/ocrdetect/ocr/v1/image.json",
    ),
    faults=_GENERAL,
    max_image_bytes=10 * MIB,
)
IDCARD = Capability(
    name="idcard",
    title="身份证识别",
    paths=(PREFIX + "2f3os7qq79xc/IdentityCard/ocr/v1/idcard.json",),
    faults=_IDCARD,
    max_image_bytes=10 * MIB,
    min_side=33,  # "大于32 小于5000": the only table that excludes both ends
    max_side=4999,
)
PLATE = Capability(
    name="plate",
    title="车牌识别",
    paths=(PREFIX + "2gt54ed8660w/driven-plate-ocr/platelicense.json",),
    faults=_PLATE,
    max_image_bytes=10 * MIB,
)
LICENCE = Capability(
    name="licence",
    title="营业执照识别",
    paths=(
        PREFIX + "2k8jo3ghhjwg/businesslicense/ocr/v1/BusinessLicense.json",
        PREFIX + "2z0yhhrzgv0g/tts/predict",
    ),
    faults=_LICENCE,
    max_image_bytes=7 * MIB,
    max_images=1,
    single=True,
    commercial=False,
)

CAPABILITIES: Mapping[str, Capability] = MappingProxyType({c.name: c for c in (GENERAL, IDCARD, PLATE, LICENCE)})
