"""Builds docs/reference/api.md from the registry of capabilities and the table of gateway codes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from inkgate.service.contract.capabilities import CAPABILITIES
from inkgate.service.contract.capability import MIB, Capability
from inkgate.service.contract.refusals import GATEWAY_CODES

Table = Callable[[tuple[str, ...], list[tuple[object, ...]]], str]

_HEAD = """---
language: zh en
---

# 接口 · API
"""
_ABOUT = """
本页由能力登记表生成。运行中的服务在 `/docs` 提供可读的说明，在 `/openapi.json` 提供 OpenAPI 3.1 描述，其中的示例是真实请求与真实返回。
签名、加密、错误的次序，以及手册未写明之处，见[接口约定](wire-contract.md)；可直接运行的客户端见[编写与选用客户端](../howto/clients.md)。

This page is generated from the registry of capabilities. A running service has a readable reference at `/docs` and an OpenAPI 3.1
description at `/openapi.json`, with recorded requests and answers. For signatures, sealed bodies, the order of checks, and what the
manual leaves open, see the [wire contract](wire-contract.en.md); for working clients, see [clients](../howto/clients.md).

## 请求头 · Request headers
"""
_HEADERS: list[tuple[object, ...]] = [
    (
        "`appkey`, `ctyun-eop-request-id`, `eop-date`, `Eop-Authorization`",
        "与公共端点相同",
        "as on the public endpoint",
    ),
    (
        "`decrypted: true`",
        "请求体按手册 6.2.4 加密，成功的返回体同样加密",
        "the body is sealed (manual 6.2.4), and so is the body of a success",
    ),
    (
        "`x-inkgate-extras: 1`",
        "每个元素另附 `extras`：置信度、坐标、告警等合同之外的内容",
        "each element has `extras`: confidence, coordinates, warnings and other data outside of the contract",
    ),
]
_ANSWER = """
## 返回体 · Answers

`returnObj` 中每张图片一个元素，次序与请求相同。某一张图片的错误只影响它自己的元素（`err_code`、`err_msg`），`statusCode` 仍为 0。
单图接口的图片错误就是请求的错误。

`returnObj` has one element per image, in the order of the request. A fault of one image affects only its own element (`err_code`,
`err_msg`), and `statusCode` stays 0. In a call with a single image, a fault of the image is a fault of the request.
"""
_CODES = """
## 网关码 · Gateway codes

所有能力共用；含义与次序见[接口约定](wire-contract.md)。各能力自己的业务码表在 `/docs`，与手册逐行一致。

These are common to all capabilities; the [wire contract](wire-contract.en.md) explains them. The business codes of each capability are
at `/docs`, row by row as in the manual.
"""
_OTHERS = """
## 其他端点 · Other endpoints

`/livez`、`/readyz`、`/startupz`、`/healthz`、`/metrics`：见[监控](../howto/observe.md)。`/admin/v1`：见[账本](../explanation/ledger.md)。

For `/livez`, `/readyz`, `/startupz`, `/healthz` and `/metrics`, see [monitoring](../howto/observe.md); for `/admin/v1`, see the
[ledger](../explanation/ledger.md).
"""


def sketch(schema: dict[str, Any]) -> str:
    """A short form of a JSON Schema: keys with the types of their values."""
    if "enum" in schema:
        return " or ".join(f'"{value}"' for value in schema["enum"])
    match schema.get("type"):
        case "object":
            return "{" + ", ".join(f'"{key}": {sketch(value)}' for key, value in schema["properties"].items()) + "}"
        case "array":
            count = schema.get("minItems")
            exact = f" × {count}" if count and count == schema.get("maxItems") else ", …"
            return f"[{sketch(schema['items'])}{exact}]"
        case kind:
            return str(kind)


def request(capability: Capability) -> str:
    """The JSON body of a call, with placeholders."""
    if capability.single:
        return f'{{"Action": "{capability.action}", "ImageData": base64}}'
    return '{"data": [base64, …]}'


def section(capability: Capability, table: Table) -> str:
    """The section of one capability."""
    canonical, *aliases = capability.paths
    limits = (
        f"≤ {capability.max_images} × {capability.max_image_bytes // MIB} MiB, "
        f"{capability.min_side}–{capability.max_side} px"
    )
    rows: list[tuple[object, ...]] = [
        ("路径 / Path", f"`POST {canonical}`"),
        *(("别名 / Alias", f"`{alias}`") for alias in aliases),
        ("请求体 / Body", f"`{request(capability)}`"),
        ("限制 / Limits", limits),
        ("元素 / Element", f"`{sketch(dict(capability.schema))}`"),
        ("计费 / Billing", "按次，资源包 / units of packs" if capability.commercial else "免费 / free"),
    ]
    fields: list[tuple[object, ...]] = [(f"`{field.name}`", field.zh, field.en) for field in capability.fields]
    parts = [f"## {capability.title} · {capability.title_en}\n", table(("`" + capability.name + "`", ""), rows)]
    if fields:
        parts.append(table(("`detail`", "中文", "English"), fields))
    return "\n".join(parts)


def api_page(note: str, table: Table) -> str:
    """The page. `note` states that it is generated; `table` renders a header and rows as Markdown."""
    codes: list[tuple[object, ...]] = [(code, f"`{row.text}`", row.http) for code, row in GATEWAY_CODES.items()]
    return "\n".join(
        [
            _HEAD,
            note,
            _ABOUT.lstrip(),
            table(("请求头 / Header", "含义", "Meaning"), _HEADERS),
            _ANSWER.strip() + "\n",
            *(section(capability, table) for capability in CAPABILITIES.values()),
            _CODES.strip() + "\n",
            table(("`statusCode`", "`message`", "HTTP"), codes),
            _OTHERS.strip() + "\n",
        ]
    )
