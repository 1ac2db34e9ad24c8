"""The audit trail."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field, field_validator

from inkgate.service.settings._group import SettingsGroup
from inkgate.service.settings.addresses import checked_address, split_url

MIN_AUDIT_DAYS = 180  # network logs are kept for six months (Cybersecurity Law of the PRC, article 21)
SYSLOG_TLS_PORT = 6514


class Audit(SettingsGroup):
    """The audit trail (docs/adr/0073-audit-chain.md)."""

    hash: Literal["sm3", "sha256"] = Field("sm3", description="Hash that chains further events.")
    retention_days: int = Field(
        0, ge=0, description="Days for which events are kept, at least 180; 0 keeps them for ever."
    )
    checkpoint_minutes: float = Field(
        15.0, gt=0, le=1440, description="Minutes between two signed checkpoints, as far as there are new events."
    )
    stream: Literal["off", "syslog", "file", "stdout"] = Field(
        "off", description="Where gateways send each event: syslog over TLS, or JSON lines to a file or to stdout."
    )
    syslog: str = Field("", description="HOST[:PORT] of the syslog receiver (RFC 5424 over TLS, RFC 5425).")
    syslog_ca_file: Path | None = Field(
        None, description="PEM file of the authorities for the receiver; empty: the system's."
    )
    syslog_cert_file: Path | None = Field(None, description="PEM file of our certificate, where it asks for one.")
    syslog_key_file: Path | None = Field(None, description="PEM file of the certificate's key.")
    file: Path | None = Field(None, description="File for JSON lines; it is appended to.")

    @field_validator("retention_days")
    @classmethod
    def _long_enough(cls, days: int) -> int:
        """Raises ValueError for a retention shorter than MIN_AUDIT_DAYS."""
        if 0 < days < MIN_AUDIT_DAYS:
            raise ValueError(f"is {days}, and events are kept for at least {MIN_AUDIT_DAYS} days, or for ever with 0")
        return days

    @field_validator("syslog")
    @classmethod
    def _host_and_port(cls, address: str) -> str:
        """Raises ValueError for anything but host and port."""
        return checked_address(address)

    @property
    def syslog_address(self) -> tuple[str, int]:
        """Host and port of the receiver."""
        parts = split_url(f"//{self.syslog}")
        return parts.hostname or "", parts.port or SYSLOG_TLS_PORT
