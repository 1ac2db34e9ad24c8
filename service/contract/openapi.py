"""The OpenAPI document of the calls, made of the registry of capabilities."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from inkgate.service import __version__
from inkgate.service.contract.capabilities import CAPABILITIES, Capability
from inkgate.service.contract.refusals import REFUSALS
from inkgate.service.contract.schemas import answer_schema, refusal_schema, request_schema

_HEADERS = (
    ("appkey", True, "应用的 AppKey", "562b89493b1a40e1b97ea05e50dd8170"),
    ("ctyun-eop-request-id", True, "请求 id，由调用方生成，用于追踪", "3dfa732-b27b-464f-b15a-21ed6845afd5"),
    ("eop-date", True, "请求时间 yyyymmddTHHMMSSZ，北京时间或 UTC", "20261122T163014Z"),
    (
        "Eop-Authorization",
        True,
        "签名：<ak> Headers=a;b;c Signature=<base64>",
        f"AK Headers=ctyun-eop-request-id;eop-date Signature={'A' * 43}=",
    ),
    ("decrypted", False, "true 表示请求体已加密（SM2/SM4/HMAC-SM3）", "true"),
    ("x-inkgate-extras", False, "1 表示返回扩展字段（置信度、坐标等），默认不返回", "1"),
)

Examples = Mapping[str, Mapping[str, Any]]


def document(examples: Examples) -> dict[str, Any]:
    """OpenAPI 3.1. `examples` maps a capability name to {"request": …, "response": …}."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "InkGate 印刷文字识别",
            "version": __version__,
            "description": "与公共端点兼容的四个识别接口：更换域名即可，签名、请求体、返回体均不变。",
        },
        "paths": {
            path: {"post": _operation(capability, examples.get(capability.name, {}), number)}
            for capability in CAPABILITIES.values()
            for number, path in enumerate(capability.paths)
        },
        "components": {
            "schemas": {"Refusal": refusal_schema()},
            "securitySchemes": {"eop": {"type": "apiKey", "in": "header", "name": "Eop-Authorization"}},
        },
    }


def _operation(capability: Capability, example: Mapping[str, Any], number: int) -> dict[str, Any]:
    return {
        "operationId": capability.name + (f"Alias{number}" if number else ""),
        "summary": capability.title + ("（手册中的另一种路径写法）" if number else ""),
        "deprecated": number > 0,
        "security": [{"eop": []}],
        "tags": [capability.title],
        "parameters": [_parameter(*row) for row in _HEADERS],
        "requestBody": {
            "required": True,
            "content": {
                "application/json": {
                    "schema": request_schema(capability),
                    "example": example.get("request", {}),
                }
            },
        },
        "responses": {
            "200": {
                "description": "statusCode 0 为成功；其余为业务错误码："
                + "；".join(f"{fault.code} {fault.details}" for fault in _distinct(capability)),
                "content": {
                    "application/json": {"schema": answer_schema(capability), "example": example.get("response", {})}
                },
            },
            **_refused(),
            "413": {"description": "请求体过大", "content": {"text/html": {}}},
        },
    }


def _distinct(capability: Capability) -> list[Any]:
    return sorted({fault.code: fault for fault in capability.faults.values()}.values(), key=lambda f: f.code)


def _parameter(name: str, required: bool, description: str, example: str) -> dict[str, Any]:
    return {
        "name": name,
        "in": "header",
        "required": required,
        "description": description,
        "schema": {"type": "string"},
        "example": example,
    }


def _refused() -> dict[str, Any]:
    by_status: dict[int, list[str]] = {}
    for code, row in REFUSALS.items():
        by_status.setdefault(row.http, []).append(f"{code} {row.text}")
    content = {"application/json": {"schema": {"$ref": "#/components/schemas/Refusal"}}}
    return {
        str(status): {"description": "；".join(texts), "content": content}
        for status, texts in sorted(by_status.items())
    }
