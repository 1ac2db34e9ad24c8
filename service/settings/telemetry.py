"""Logs, metrics and traces."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field

from inkgate.service.settings._group import SettingsGroup


class Telemetry(SettingsGroup):
    """Logs, metrics and traces."""

    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="Least level logged.")
    log_format: Literal["json", "text"] = Field("json", description="One JSON object a line, or plain text.")
    traces_endpoint: str = Field("", description="OTLP/HTTP address for traces (…/v1/traces); empty: no export.")
    traces_ratio: float = Field(1.0, ge=0, le=1, description="Share of the traces begun here that is exported.")
    accounts: tuple[str, ...] = Field((), description="Account ids whose pack balances are shown as metrics.")
    certificates: tuple[Path, ...] = Field((), description="PEM files whose end of validity is shown as a metric.")
