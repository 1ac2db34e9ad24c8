"""Keys and ciphers."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr

from inkgate.service.settings._group import SettingsGroup, secret


class Security(SettingsGroup):
    """Secrets."""

    master_key: SecretStr | None = Field(
        None,
        description="Base64 of 32 bytes; seals stored secrets. Older keys may follow after commas.",
        json_schema_extra=secret("gateway", "console"),
    )
    master_key_file: Path | None = Field(
        None, description="File with master keys (mode 0600), one a line, the current one first."
    )
    master_key_command: tuple[str, ...] = Field(
        (),
        description="Program and arguments (JSON list) that print master keys as in such a file, for example a client "
        "of a KMS or HSM. It is run once at the start of each process, without a shell and without our settings.",
    )
    master_key_command_seconds: float = Field(10.0, gt=0, le=120, description="Seconds that this program may take.")
    cipher: Literal["aes-256-gcm", "sm4-gcm"] = Field(
        "aes-256-gcm",
        description="Cipher of secrets stored from now on; those stored already open with either. `inkgate keys "
        "reseal` converts them. Set sm4-gcm only when every process runs a release that has it.",
    )
    kept_answers: Literal["plain", "sealed", "none"] = Field(
        "plain",
        description="How charged answers are kept until they are delivered, for ten minutes at most: as they are, "
        "sealed with the master key (set it when every gateway runs a release that has it), or not at all: then a "
        "repeated request is read and charged again (docs/explanation/personal-data.md).",
    )
    sm2: Literal["auto", "libcrypto", "gmssl-pyx", "gmssl"] = Field(
        "auto", description="Library that opens sealed bodies; auto takes libcrypto, else gmssl-pyx."
    )
