"""Generate values.schema.json, README.md and files/secrets.json of the chart from values.yaml and the settings.

    python -m tools.chart_docs           write all files
    python -m tools.chart_docs --check   exit status 1 when a file is not up to date

In values.yaml the comment above a name is its description; a line `@schema {…}` in it is merged into the JSON schema
derived from the type of the value. `{"$settings": true}` stands for the groups and names of service.settings, so that
the chart rejects unknown settings; `{"$secrets": true}` stands for the secret settings without a separate value. The
templates read the list of secret settings from files/secrets.json.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from inkgate.service.settings import SecretSetting, Settings, secret_settings

CHART = Path(__file__).resolve().parent.parent / "helm" / "inkgate"

# Set by the chart and therefore not part of `config`. Secrets stay in its schema, so that the templates can reject them
# with a clear message.
NOT_IN_CONFIG: dict[str, set[str]] = {
    "security": {"master_key_file", "sm2"},
    "server": {"host", "port"},
    "worker": {"processes", "health_host", "health_port"},
    "console": {"host", "port", "gateway_url"},
}
# Secret settings with a separate chart value; all others are under `secrets`.
VALUE_PATHS = {"database.url": "database", "redis.url": "redis", "security.master_key": "masterKey"}

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
                "description": "none; hpa: external metrics through prometheus-adapter; keda: KEDA queries Prometheus.",
            },
            "minReplicas": {"type": "integer", "minimum": 1, "description": "Minimum number of pods; never 0."},
            "maxReplicas": {"type": "integer", "minimum": 1, "description": "Maximum number of pods."},
            "oldestAgeSeconds": {
                "type": "number",
                "exclusiveMinimum": 0,
                "description": "Target for the waiting time of the oldest image.",
            },
            "tasksPerReplica": {
                "type": "number",
                "exclusiveMinimum": 0,
                "description": "Target for the number of queued and running images per pod.",
            },
        },
    },
}


def settings_schema() -> dict[str, Any]:
    """The schema of `config`."""
    model = Settings.model_json_schema()
    secret_paths = {(secret.group, secret.name): value_path(secret) for secret in secret_settings()}
    groups: dict[str, Any] = {}
    for group, reference in model["properties"].items():
        hidden = NOT_IN_CONFIG.get(group, set())
        definition = model["$defs"][(reference.get("$ref") or reference["allOf"][0]["$ref"]).rsplit("/", 1)[1]]
        names = {
            name: {"description": f"Rejected because it is a secret; use {secret_paths[group, name]}."}
            if (group, name) in secret_paths
            else {
                key: _inlined(value, model["$defs"]) for key, value in schema.items() if key not in ("title", "default")
            }
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


def _inlined(schema: Any, definitions: Mapping[str, Any]) -> Any:
    """The schema with what its references name in their place: the chart's schema has other definitions."""
    if isinstance(schema, list):
        return [_inlined(each, definitions) for each in schema]
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema:
        named = definitions[schema["$ref"].rsplit("/", 1)[1]]
        return {key: value for key, value in named.items() if key in ("type", "enum")}
    return {key: _inlined(value, definitions) for key, value in schema.items()}


def value_path(secret: SecretSetting) -> str:
    """The path of the chart value that names the Secret of a setting."""
    setting = f"{secret.group}.{secret.name}"
    return f"{VALUE_PATHS.get(setting, f'secrets.{setting}')}.existingSecret"


def secrets_schema() -> dict[str, Any]:
    """The schema of `secrets`."""
    model, groups = Settings.model_json_schema(), dict[str, Any]()
    for secret in secret_settings():
        if f"{secret.group}.{secret.name}" in VALUE_PATHS:
            continue
        about = model["$defs"][secret.group.capitalize()]["properties"][secret.name]["description"]
        group = groups.setdefault(secret.group, {"type": "object", "additionalProperties": False, "properties": {}})
        group["properties"][secret.name] = {
            "type": "object",
            "additionalProperties": False,
            "required": ["existingSecret"],
            "description": about,
            "properties": {
                "existingSecret": {"type": "string", "minLength": 1, "description": "Name of the Secret."},
                "key": {
                    "type": "string",
                    "minLength": 1,
                    "description": "Key in the Secret; default: the name of the setting.",
                },
            },
        }
    return {"type": "object", "additionalProperties": False, "properties": groups}


def build_secrets() -> str:
    """files/secrets.json: the secret settings as the templates need them."""
    secrets = [
        {
            "group": secret.group,
            "name": secret.name,
            "variable": secret.variable,
            "parts": secret.parts,
            "place": value_path(secret),
        }
        for secret in secret_settings()
    ]
    return json.dumps(secrets, indent=1) + "\n"


def comment_above(lines: list[str], line: int, column: int) -> tuple[str, dict[str, Any]]:
    """The description and the @schema object of the comment directly above `line`."""
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


def json_type(value: Any) -> str:
    """The JSON schema type of a YAML value."""
    kinds = {bool: "boolean", int: "integer", float: "number", str: "string", list: "array", dict: "object"}
    return kinds[type(value)]


def schema_of(node: yaml.MappingNode, lines: list[str], path: str = "") -> dict[str, Any]:
    """The schema of a mapping of values.yaml. Raises SystemExit for a leaf without a description."""
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
            schema = extra if {"type", "enum", "$ref"} & set(extra) else {"type": json_type(plain), **extra}
        elif isinstance(value, yaml.MappingNode):
            schema = schema_of(value, lines, f"{name}.")
        else:
            schema = {"type": json_type(plain)}
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
    """The name, default and description of every leaf, in the order of values.yaml."""
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
    expected = {
        CHART / "values.schema.json": schema,
        CHART / "README.md": build_readme(text, schema),
        CHART / "files" / "secrets.json": build_secrets(),
    }
    stale = [path for path, content in expected.items() if not path.exists() or path.read_text() != content]
    if "--check" in sys.argv:
        if stale:
            raise SystemExit(f"not current: {', '.join(p.name for p in stale)}; run python -m tools.chart_docs")
        return
    for path in stale:
        path.write_text(expected[path])
        print(f"wrote {path.relative_to(CHART.parent.parent)}")


if __name__ == "__main__":
    main()
