"""What every group of settings is made of."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict
from pydantic.config import JsonDict

MIB = 1024 * 1024

Part = Literal["gateway", "worker", "console", "migrate"]


def secret(*parts: Part) -> JsonDict:
    """Marks a setting as a secret needed by `parts` of the service only.

    Chart, reference page, doctor and log redaction use this mark; a test checks that every SecretStr has it.
    """
    return {"secret": list(parts)}


class SettingsGroup(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")
