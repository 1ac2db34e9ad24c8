"""The parts of a pack that need neither network nor database: packages, models and settings."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Any

from pydantic import BaseModel, SecretStr

from inkgate.service.attest.evidence import Part, json_file
from inkgate.service.attest.package_names import normalised
from inkgate.service.settings import Settings, secret_settings, secret_values, without_passwords
from inkgate.service.settings import mask as masked

SBOM, SETTINGS = "sbom", "settings"
SBOM_FILE, SETTINGS_FILE = "sbom.cdx.json", "settings.json"
RECORDED = "parts.cdx.json"  # written by deploy/install.sh
MAX_RECORDED_BYTES = 4 * 1024 * 1024
MAX_VALUE = 2000  # characters of one setting


def sbom_part(prefix: Path = Path(sys.prefix)) -> Part:
    """The installed packages and models as CycloneDX: the list that the installation wrote below `prefix`, compared
    with the packages that are there now; without one a new list. Raises ImportError where neither can be had."""
    recorded = prefix / RECORDED
    if not recorded.is_file():
        from inkgate.service.attest import parts  # its library is no part of an installation

        return _sbom(json.loads(parts.text()), "made now")
    if recorded.stat().st_size > MAX_RECORDED_BYTES:
        return Part(SBOM, "failed", f"{recorded} is larger than {MAX_RECORDED_BYTES} bytes", {}, {})
    return _sbom(json.loads(recorded.read_bytes()), "written at the installation")


def _sbom(document: Any, origin: str) -> Part:
    listed = {each["name"]: each["version"] for each in document["components"] if each["type"] == "library"}
    there = {normalised(each.metadata["Name"]): each.version for each in metadata.distributions()}
    differing = sorted(name for name, version in listed.items() if there.get(name) != version)
    facts = {"components": len(document["components"]), "spec": document["specVersion"], "origin": origin}
    reason = f"not installed as listed: {', '.join(differing)}" if differing else ""
    return Part(SBOM, "failed" if differing else "passed", reason[:MAX_VALUE], facts, {SBOM_FILE: json_file(document)})


def settings_part(settings: Settings) -> Part:
    """Every setting by its environment variable. Of a secret the file says only whether it is set."""
    listed = list(_settings(settings))
    changed = [each["name"] for each in listed if not each["default"]]
    facts = {"settings": len(listed), "changed": len(changed), "secrets_set": sum("set" in each for each in listed)}
    return Part(SETTINGS, "passed", "", facts, {SETTINGS_FILE: json_file(listed)})


def _settings(settings: Settings) -> Iterator[dict[str, Any]]:
    secrets = {(each.group, each.name) for each in secret_settings()}
    known = secret_values(settings)
    for group in type(settings).model_fields:
        values: BaseModel = getattr(settings, group)
        for name, about in type(values).model_fields.items():
            value = getattr(values, name)
            row = {"name": f"INKGATE_{group}__{name}".upper(), "default": value == about.default}
            if isinstance(value, SecretStr) or ((group, name) in secrets and not isinstance(value, str)):
                yield row | {"set": value is not None}
            elif isinstance(about.annotation, type) and issubclass(about.annotation, SecretStr):
                yield row | {"set": False}
            else:
                yield row | {"value": masked(without_passwords(str(value)), known)[:MAX_VALUE]}
