"""Make values.schema.json, README.md and files/secrets.json of the chart from values.yaml and the service's settings.

    python -m tools.chart_docs           write all
    python -m tools.chart_docs --check   exit 1 when one of them is not current

In values.yaml the comment above a name is its description; a line `@schema {…}` in it is merged into the JSON schema
that the value's type gives. `{"$settings": true}` stands for the groups and names of service.settings, so that the
chart refuses a setting which the service does not have; `{"$secrets": true}` for those of them that are secrets and
have no value of their own. Which are secrets, templates read in files/secrets.json.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from inkgate.service.settings import SecretSetting, Settings, secret_settings

CHART = Path(__file__).resolve().parent.parent / "helm" / "inkgate"

# Set by the chart, so not to be given as a plain value. Secrets are in `config` for templates to refuse in plain words.
NOT_IN_CONFIG: dict[str, set[str]] = {
    "security": {"master_key_file", "sm2"},
    "server": {"host", "port"},
    "worker": {"processes", "health_host", "health_port"},
    "console": {"host", "port", "gateway_url"},
}
# Secrets that have a value of their own; the others are given under `secrets`.
OWN_VALUE = {"database.url": "database", "redis.url": "redis", "security.master_key": "masterKey"}

AMOUNTS = {"type": "object", "additionalProperties": {"type": ["string", "integer", "number"]}}
DEFS: dict[str, Any] = {
    "strings": {"type": "object", "additionalProperties": {"type": "string"}},
    "object": {"type": "object", "additionalProperties": True},
    "objects": {"type": "array", "items": {"type": "object", "additionalProperties": True}},
    "resources": {
        "type": "object",
        "additionalProperties": False,
        "properties": {"requests": AMOUNTS, "limits": AMOUNTS},
    },
    "workerAutoscaling": {
        "type": "object",
        "additionalProperties": False,
        "properties": {
            "mode": {
                "enum": ["none", "hpa", "keda"],
                "description": "none; hpa: external metrics through prometheus-adapter; keda: KEDA asks Prometheus.",
            },
            "minReplicas": {"type": "integer", "minimum": 1, "description": "Fewest pods; never 0."},
            "maxReplicas": {"type": "integer", "minimum": 1, "description": "Most pods."},
            "oldestAgeSeconds": {
                "type": "number",
                "exclusiveMinimum": 0,
                "description": "Waiting time of the oldest picture aimed at.",
            },
            "tasksPerReplica": {
                "type": "number",
                "exclusiveMinimum": 0,
                "description": "Pictures waiting or held per pod aimed at.",
            },
        },
    },
}


def settings_schema() -> dict[str, Any]:
    """The groups and names that `config` takes."""
    model = Settings.model_json_schema()
    places = {(each.group, each.name): place(each) for each in secret_settings()}
    groups: dict[str, Any] = {}
    for group, reference in model["properties"].items():
        hidden = NOT_IN_CONFIG.get(group, set())
        definition = model["$defs"][(reference.get("$ref") or reference["allOf"][0]["$ref"]).rsplit("/", 1)[1]]
        names = {
            name: {"description": f"Refused, for it is a secret: see {places[group, name]}."}
            if (group, name) in places
            else {key: value for key, value in schema.items() if key not in ("title", "default")}
            for name, schema in definition["properties"].items()
            if name not in hidden
        }
        groups[group] = {
            "type": "object",
            "additionalProperties": False,
            "properties": names,
            "description": definition.get("description", ""),
        }
    return {"type": "object", "additionalProperties": False, "properties": groups}


def place(secret: SecretSetting) -> str:
    """The value that names the Secret in which this setting is held."""
    setting = f"{secret.group}.{secret.name}"
    return f"{OWN_VALUE.get(setting, f'secrets.{setting}')}.existingSecret"


def secrets_schema() -> dict[str, Any]:
    """The groups and names that `secrets` takes."""
    model, groups = Settings.model_json_schema(), dict[str, Any]()
    for each in secret_settings():
        if f"{each.group}.{each.name}" in OWN_VALUE:
            continue
        about = model["$defs"][each.group.capitalize()]["properties"][each.name]["description"]
        inside = groups.setdefault(each.group, {"type": "object", "additionalProperties": False, "properties": {}})
        inside["properties"][each.name] = {
            "type": "object",
            "additionalProperties": False,
            "required": ["existingSecret"],
            "description": about,
            "properties": {
                "existingSecret": {"type": "string", "minLength": 1, "description": "Secret that holds it."},
                "key": {"type": "string", "minLength": 1, "description": "Its key there; default: the setting's name."},
            },
        }
    return {"type": "object", "additionalProperties": False, "properties": groups}


def build_secrets() -> str:
    """files/secrets.json: what templates must know of each secret setting."""
    found = [
        {"group": each.group, "name": each.name, "variable": each.variable, "parts": each.parts, "place": place(each)}
        for each in secret_settings()
    ]
    return json.dumps(found, indent=1) + "\n"


def comment_above(lines: list[str], line: int, column: int) -> tuple[str, dict[str, Any]]:
    """The description and the @schema of the comment that ends right above `line`."""
    words: list[str] = []
    extra: dict[str, Any] = {}
    above = line - 1
    while above >= 0 and lines[above].startswith(" " * column + "#"):
        text = lines[above].strip().lstrip("#").strip()
        if text.startswith("@schema "):
            extra = json.loads(text.removeprefix("@schema "))
        else:
            words.insert(0, text)
        above -= 1
    return " ".join(words), extra


def own_type(value: Any) -> str:
    kinds = {bool: "boolean", int: "integer", float: "number", str: "string", list: "array", dict: "object"}
    return kinds[type(value)]


def schema_of(node: yaml.MappingNode, lines: list[str], path: str = "") -> dict[str, Any]:
    """The schema of one mapping of values.yaml; every name in it has a comment or is a mapping of such names."""
    properties: dict[str, Any] = {}
    for key, value in node.value:
        name = f"{path}{key.value}"
        described, extra = comment_above(lines, key.start_mark.line, key.start_mark.column)
        plain = yaml.safe_load(yaml.serialize(value))
        if extra.pop("$settings", False):
            extra = settings_schema()
        if extra.pop("$secrets", False):
            extra = secrets_schema()
        if extra:
            schema = extra if {"type", "enum", "$ref"} & set(extra) else {"type": own_type(plain), **extra}
        elif isinstance(value, yaml.MappingNode):
            schema = schema_of(value, lines, f"{name}.")
        else:
            schema = {"type": own_type(plain)}
        if not described and "properties" not in schema:
            raise SystemExit(f"values.yaml: {name} has no description above it")
        properties[key.value] = {**schema, "description": described} if described else schema
    return {"type": "object", "additionalProperties": False, "properties": properties}


def build_schema(text: str) -> str:
    node = yaml.compose(text)
    assert isinstance(node, yaml.MappingNode)
    schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Values of the InkGate chart",
        **schema_of(node, text.splitlines()),
        "$defs": DEFS,
    }
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


def rows(schema: dict[str, Any], values: Any, path: str = "") -> Iterator[tuple[str, str, str]]:
    """(name, default, description) of every leaf, in the order of values.yaml."""
    for name, part in schema["properties"].items():
        inner = DEFS["workerAutoscaling"] if part.get("$ref", "").endswith("workerAutoscaling") else part
        if inner.get("properties") and values[name]:
            yield from rows(inner, values[name], f"{path}{name}.")
            continue
        choices = f" One of {', '.join(f'`{choice}`' for choice in part['enum'])}." if "enum" in part else ""
        yield f"{path}{name}", json.dumps(values[name], ensure_ascii=False), part.get("description", "") + choices


def build_readme(text: str, schema: str) -> str:
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    table = "\n".join(
        f"| `{name}` | `{default}` | {about.replace('|', '/')} |"
        for name, default, about in rows(json.loads(schema), yaml.safe_load(text))
    )
    head = (CHART / "README.head.md").read_text()
    head = head.replace("{version}", chart["version"]).replace("{kubeVersion}", chart["kubeVersion"])
    return f"{head}\n## Values\n\n| Name | Default | What it does |\n|---|---|---|\n{table}\n"


def main() -> None:
    text = (CHART / "values.yaml").read_text()
    schema = build_schema(text)
    wanted = {
        CHART / "values.schema.json": schema,
        CHART / "README.md": build_readme(text, schema),
        CHART / "files" / "secrets.json": build_secrets(),
    }
    stale = [path for path, content in wanted.items() if not path.exists() or path.read_text() != content]
    if "--check" in sys.argv:
        if stale:
            raise SystemExit(f"not current: {', '.join(p.name for p in stale)}; run python -m tools.chart_docs")
        return
    for path in stale:
        path.write_text(wanted[path])
        print(f"wrote {path.relative_to(CHART.parent.parent)}")


if __name__ == "__main__":
    main()
