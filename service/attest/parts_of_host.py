"""The parts of a pack that need neither network nor database: packages, models and settings."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel, SecretStr

from inkgate.service.attest import parts
from inkgate.service.attest.evidence import Part, json_file
from inkgate.service.settings import Settings, secret_settings, secret_values, without_passwords
from inkgate.service.settings import mask as masked

SBOM, SETTINGS = "sbom", "settings"
SBOM_FILE, SETTINGS_FILE = "sbom.cdx.json", "settings.json"
MAX_VALUE = 2000  # characters of one setting


def sbom_part() -> Part:
    """The installed packages as CycloneDX, by the script that makes the list of a release too."""
    document: Any = parts.document()
    facts = {"components": len(document["components"]), "spec": document["specVersion"]}
    return Part(SBOM, "passed", "", facts, {SBOM_FILE: json_file(document)})


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
