"""JSON schemas of the four calls' requests and answers (manual 6.3.x-6 to -8), out of the capability table."""

from __future__ import annotations

from typing import Any

from inkgate.service.contract.capabilities import Capability
from inkgate.service.contract.requests import ACTION

Schema = dict[str, Any]

_TEXT: Schema = {"type": "string"}
_COUNT: Schema = {"type": "integer", "minimum": 0}
_BASE64: Schema = {"type": "string", "description": "图片的 Base64，不带 data: 前缀"}
_SEAL_CODES = (40017, 40018, 40019, 40020)
_IDCARD = ("name", "sex", "nation", "birthday", "idn", "addr", "org", "validperiod")
_LICENCE = (
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


def request_schema(capability: Capability) -> Schema:
    """The plain body of a request; a sealed one carries the same inside."""
    if capability.single:
        schema = _object({"Action": {"type": "string", "const": ACTION}, "ImageData": _BASE64})
        return {**schema, "additionalProperties": False}
    return _object({"data": _list(_BASE64, least=1, most=capability.max_images)})


def answer_schema(capability: Capability) -> Schema:
    """What HTTP 200 carries: a result, a business fault, or, for a sealed request, the sealed result."""
    return {"anyOf": [_success(capability), _fault(capability), _sealed()]}


def refusal_schema() -> Schema:
    """The gateway's own refusals."""
    names = ("code", "error", "message", "details", "requestId")
    schema = _object(
        {"statusCode": {"type": ["integer", "string"]}, **dict.fromkeys(names, _TEXT), "returnObj": {"type": "object"}}
    )
    schema["properties"]["eopErrCode"] = _TEXT
    return schema


def _success(capability: Capability) -> Schema:
    result = _ELEMENTS[capability.name]
    if capability.single:
        return _object({"statusCode": {"const": 0}, "message": {"const": "success"}, "returnObj": result})
    counts = _object({"success": _COUNT, "fail": _COUNT})
    elements = _list({"anyOf": [result, _failed(capability)]}, least=1, most=capability.max_images)
    return _object({"statusCode": {"const": 0}, "message": counts, "returnObj": elements})


def _failed(capability: Capability) -> Schema:
    """The element of an image that failed."""
    schema = _object({"err_code": {"enum": _codes(capability)}, "err_msg": _TEXT})
    return {**schema, "description": "一张图片的错误"}


def _fault(capability: Capability) -> Schema:
    codes = sorted({*_codes(capability), *_SEAL_CODES})
    return _object({"statusCode": {"enum": codes}, **dict.fromkeys(("message", "details", "error"), _TEXT)})


def _sealed() -> Schema:
    return {**_object({"encryptedResult": _TEXT, "encryptedResultHash": _TEXT}), "additionalProperties": False}


def _codes(capability: Capability) -> list[int]:
    return sorted({fault.code for fault in capability.faults.values()})


def _object(properties: dict[str, Schema]) -> Schema:
    return {"type": "object", "required": list(properties), "properties": dict(properties)}


def _list(items: Schema, *, least: int = 0, most: int | None = None) -> Schema:
    bounds = {"minItems": least} if most is None else {"minItems": least, "maxItems": most}
    return {"type": "array", "items": items, **bounds}


_POINT = _list({"type": "integer"}, least=2, most=2)
_ELEMENTS: dict[str, Schema] = {
    "general": _object(
        {
            "text_line": _COUNT,
            "detail": _list(_object({"name": _TEXT, "text": _TEXT, "box": _list({"type": "number"}, least=8, most=8)})),
        }
    ),
    "idcard": _object(
        {
            "note": {"enum": ["front", "back", ""]},
            "detail": _object(dict.fromkeys(_IDCARD, _TEXT)),
            **dict.fromkeys(("idcard_face", "demo_image", "risk"), _TEXT),
        }
    ),
    "plate": _object(
        {
            "number of plate licenses": _COUNT,
            "detail": _list(
                _object(
                    {
                        "box": _list(_POINT, least=4, most=4),
                        "plate_type": _TEXT,
                        "platelicense": _TEXT,
                        "confidence": {"type": "number", "minimum": 0, "maximum": 1},
                    }
                )
            ),
        }
    ),
    "licence": _object(
        {
            "license_type": {"enum": ["Business License", "Not Business License"]},
            "detail": {"type": "object", "properties": dict.fromkeys((*_LICENCE, "real_capital"), _TEXT)},
        }
    ),
}
