"""The console."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field, SecretStr, field_validator

from inkgate.service.settings._group import SettingsGroup, secret

MIN_SETUP_CODE, MAX_SETUP_CODE = 16, 256  # characters; anyone who guesses the code becomes operator


class Console(SettingsGroup):
    """The pages for customers and operators."""

    enabled: bool = Field(True, description="Serve the console under /console beside the embedded gateway.")
    host: str = Field("127.0.0.1", description="Address for `inkgate console` to listen on.")
    port: int = Field(8090, ge=0, le=65535, description="Port for it; 0 takes a free one.")
    gateway_url: str = Field(
        "", description="Where the console calls the gateway, e.g. http://gateway:8080; empty: beside itself."
    )
    endpoint: str = Field("", description="The gateway's address as customers see it; empty: as they see the console.")
    idle_minutes: float = Field(30.0, gt=0, description="Minutes without a request after which a session ends.")
    session_hours: float = Field(12.0, gt=0, description="Hours after which a session ends whatever happens.")
    contact: str = Field(
        "",
        max_length=200,
        description="Whom customers ask, shown where something is refused or suspended: a name, a number, an address.",
    )
    reveal_keys: bool = Field(
        True,
        description="Let users see the SecurityKey of an AccessKey again, after their password (manual 6.2.3); "
        "off: it is shown when the key is made, and never again.",
    )
    regions: Path | None = Field(
        None, description="CSV of networks and their provinces (192.0.2.0/24,浙江) for the map of callers."
    )
    wall_key: SecretStr | None = Field(
        None,
        min_length=16,
        description="Opens /console/wall, health for a screen on a wall, without a sign-in.",
        json_schema_extra=secret("console"),
    )
    setup_code: SecretStr | None = Field(
        None,
        description="Lets the first operator be made from another machine; without it only from this one. "
        "16 to 256 characters.",
        json_schema_extra=secret("console"),
    )

    @field_validator("setup_code")
    @classmethod
    def _long_enough(cls, code: SecretStr | None) -> SecretStr | None:
        """The code without blanks around it, as a form sends it and as a file with a last newline does not."""
        text = code.get_secret_value().strip() if code is not None else ""
        if not text:
            return None
        if not MIN_SETUP_CODE <= len(text) <= MAX_SETUP_CODE:
            raise ValueError(f"has {len(text)} characters, and takes {MIN_SETUP_CODE} to {MAX_SETUP_CODE}")
        return SecretStr(text)
