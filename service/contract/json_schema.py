"""Small JSON Schema fragments (draft 2020-12) of which the schemas of requests and answers are built."""

from __future__ import annotations

from typing import Any

Schema = dict[str, Any]

TEXT: Schema = {"type": "string"}
COUNT: Schema = {"type": "integer", "minimum": 0}
BASE64: Schema = {"type": "string", "description": "图片的 Base64，不带 data: 前缀"}


def object_of(properties: dict[str, Schema]) -> Schema:
    """An object in which every one of `properties` is required; others are allowed."""
    return {"type": "object", "required": list(properties), "properties": dict(properties)}


def list_of(items: Schema, *, least: int = 0, most: int | None = None) -> Schema:
    """An array of `least` to `most` items; without `most` there is no upper bound."""
    bounds = {"minItems": least} if most is None else {"minItems": least, "maxItems": most}
    return {"type": "array", "items": items, **bounds}


def example_of(schema: Schema) -> Any:
    """The smallest value that a schema of this module's keywords allows, with empty texts and lists of one item.

    Understands `const`, `enum`, `anyOf` (the first alternative), `type`, `properties`, `items`, `minItems` and
    `minimum`; anything else is ignored.
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
