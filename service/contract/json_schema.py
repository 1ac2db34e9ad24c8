"""JSON Schema fragments (draft 2020-12) for the schemas of requests and answers."""

from __future__ import annotations

from typing import Any

Schema = dict[str, Any]

TEXT: Schema = {"type": "string"}
COUNT: Schema = {"type": "integer", "minimum": 0}
BASE64: Schema = {"type": "string", "description": "图片的 Base64，不带 data: 前缀"}


def object_schema(properties: dict[str, Schema]) -> Schema:
    """An object that requires all `properties` and allows others."""
    return {"type": "object", "required": list(properties), "properties": dict(properties)}


def array_schema(items: Schema, *, min_items: int = 0, max_items: int | None = None) -> Schema:
    """An array of `min_items` to `max_items` items; without `max_items` there is no upper bound."""
    bounds = {"minItems": min_items} if max_items is None else {"minItems": min_items, "maxItems": max_items}
    return {"type": "array", "items": items, **bounds}


def example_of(schema: Schema) -> Any:
    """The smallest valid value of a schema, with empty texts and lists of one item.

    Supports `const`, `enum`, `anyOf` (the first alternative), `type`, `properties`, `items`, `minItems` and
    `minimum`; other keywords are ignored.
    """
    if "const" in schema:
        return schema["const"]
    if "enum" in schema:
        return schema["enum"][0]
    if "anyOf" in schema:
        return example_of(schema["anyOf"][0])
    match schema.get("type"):
        case "object":
            return {name: example_of(part) for name, part in schema.get("properties", {}).items()}
        case "array":
            return [example_of(schema["items"])] * max(1, schema.get("minItems", 0))
        case "integer" | "number":
            return schema.get("minimum", 0)
        case "boolean":
            return False
    return ""
