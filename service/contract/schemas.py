"""JSON schemas of requests and answers (manual 6.3.x-6 to -8), made of the registry of capabilities."""

from __future__ import annotations

from inkgate.service.contract.capabilities import Capability
from inkgate.service.contract.json_schema import BASE64, COUNT, TEXT, Schema, list_of, object_of

_SEAL_CODES = (40017, 40018, 40019, 40020)


def request_schema(capability: Capability) -> Schema:
    """The plain body of a request; a sealed one carries the same inside."""
    if capability.single:
        schema = object_of({"Action": {"type": "string", "const": capability.action}, "ImageData": BASE64})
        return {**schema, "additionalProperties": False}
    return object_of({"data": list_of(BASE64, least=1, most=capability.max_images)})


def answer_schema(capability: Capability) -> Schema:
    """What HTTP 200 carries: a result, a business fault, or, for a sealed request, the sealed result."""
    return {"anyOf": [_success(capability), _fault(capability), _sealed()]}


def refusal_schema() -> Schema:
    """The gateway's own refusals."""
    names = ("code", "error", "message", "details", "requestId")
    schema = object_of(
        {"statusCode": {"type": ["integer", "string"]}, **dict.fromkeys(names, TEXT), "returnObj": {"type": "object"}}
    )
    schema["properties"]["eopErrCode"] = TEXT
    return schema


def _success(capability: Capability) -> Schema:
    result = capability.schema
    if capability.single:
        return object_of({"statusCode": {"const": 0}, "message": {"const": "success"}, "returnObj": result})
    counts = object_of({"success": COUNT, "fail": COUNT})
    elements = list_of({"anyOf": [result, _failed(capability)]}, least=1, most=capability.max_images)
    return object_of({"statusCode": {"const": 0}, "message": counts, "returnObj": elements})


def _failed(capability: Capability) -> Schema:
    """The element of an image that failed."""
    schema = object_of({"err_code": {"enum": _codes(capability)}, "err_msg": TEXT})
    return {**schema, "description": "一张图片的错误"}


def _fault(capability: Capability) -> Schema:
    codes = sorted({*_codes(capability), *_SEAL_CODES})
    return object_of({"statusCode": {"enum": codes}, **dict.fromkeys(("message", "details", "error"), TEXT)})


def _sealed() -> Schema:
    return {**object_of({"encryptedResult": TEXT, "encryptedResultHash": TEXT}), "additionalProperties": False}


def _codes(capability: Capability) -> list[int]:
    return sorted({fault.code for fault in capability.faults.values()})
