"""Code tables: the rows of business error codes that each capability has (manual 6.3.x-10)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

_OF_REQUESTS = ("empty", "json", "object", "missing", "type", "none")
_OF_IMAGES = ("base64", "format", "size", "decode", "dimensions")
COMMON_FAULTS = frozenset({*_OF_REQUESTS, *_OF_IMAGES, "internal"})
"""Rows that every table must have. `internal` is a failure of the service itself."""
BATCH_FAULTS = COMMON_FAULTS | {"many"}
SINGLE_FAULTS = COMMON_FAULTS | {"unknown", "action"}
OPTIONAL_FAULTS = frozenset({"path", "method"})
"""Without these rows a wrong path or method is answered with the gateway's own code (50003, 40008)."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One row of a code table: the number, 错误信息 and 错误描述."""

    code: int
    message: str
    details: str


Row = tuple[int, str] | tuple[int, str, str]
"""Code, message and details; without details the message stands for both."""


def code_table(rows: Mapping[str, Row]) -> Mapping[str, Fault]:
    """A read-only code table. `rows` maps the name of a fault, one of the sets above, to its row."""
    return MappingProxyType({name: Fault(row[0], row[1], row[-1]) for name, row in rows.items()})


_FORMAT = (4009, "请求文件格式不合法，仅支持 jpeg/png/jpg/bmp 格式")
DOCUMENT_ROWS: Mapping[str, Row] = MappingProxyType(
    {
        "empty": (4001, "请求JSON处理异常"),
        "json": (4001, "请求JSON处理异常"),
        "missing": (4003, "请求中未包data字段"),
        "type": (4004, "data字段图片数据不是list格式"),
        "none": (4005, "图片list内图片数量为0"),
        "many": (4006, "图片list内图片数量超过50张"),
        "base64": (4008, "base64数据处理异常"),
        "format": _FORMAT,
        "decode": _FORMAT,  # valid first bytes, corrupt inside: these tables have no row of their own for it
        "size": (4010, "单张图片大小超过10M"),
        "internal": (5000, "OCR服务接口异常，请联系管理员"),
    }
)
"""The rows that the tables of manual 6.3.2 and 6.3.3 share, for a capability that takes a list of images."""
