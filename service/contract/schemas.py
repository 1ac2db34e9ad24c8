"""JSON schemas of requests and answers (manual 6.3.x-6 to -8), built from the capability registry."""

from __future__ import annotations

from inkgate.service.contract.capabilities import Capability
from inkgate.service.contract.json_schema import BASE64, COUNT, TEXT, Schema, array_schema, object_schema

_SEAL_CODES = (40017, 40018, 40019, 40020)


def request_schema(capability: Capability) -> Schema:
    """The plain body of a request; a sealed body contains the same."""
    if capability.single:
        schema = object_schema({"Action": {"type": "string", "const": capability.action}, "ImageData": BASE64})
        return {**schema, "additionalProperties": False}
    return object_schema({"data": array_schema(BASE64, min_items=1, max_items=capability.max_images)})


def answer_schema(capability: Capability) -> Schema:
    """The body of HTTP 200: a result, a business fault, or the sealed result of a sealed request."""
    return {"anyOf": [_success(capability), _fault(capability), _sealed()]}


def refusal_schema() -> Schema:
    """The body of a refusal with a gateway code."""
    names = ("code", "error", "message", "details", "requestId")
    schema = object_schema(
        {"statusCode": {"type": ["integer", "string"]}, **dict.fromkeys(names, TEXT), "returnObj": {"type": "object"}}
    )
    schema["properties"]["eopErrCode"] = TEXT
    return schema


def _success(capability: Capability) -> Schema:
    result = capability.schema
    if capability.single:
        return object_schema({"statusCode": {"const": 0}, "message": {"const": "success"}, "returnObj": result})
    counts = object_schema({"success": COUNT, "fail": COUNT})
    elements = array_schema({"anyOf": [result, _failed(capability)]}, min_items=1, max_items=capability.max_images)
    return object_schema({"statusCode": {"const": 0}, "message": counts, "returnObj": elements})


def _failed(capability: Capability) -> Schema:
    """The element of an image that failed."""
    schema = object_schema({"err_code": {"enum": _codes(capability)}, "err_msg": TEXT})
    return {**schema, "description": "一张图片的错误"}


def _fault(capability: Capability) -> Schema:
    codes = sorted({*_codes(capability), *_SEAL_CODES})
    return object_schema({"statusCode": {"enum": codes}, **dict.fromkeys(("message", "details", "error"), TEXT)})


def _sealed() -> Schema:
    return {**object_schema({"encryptedResult": TEXT, "encryptedResultHash": TEXT}), "additionalProperties": False}


def _codes(capability: Capability) -> list[int]:
    return sorted({fault.code for fault in capability.faults.values()})
