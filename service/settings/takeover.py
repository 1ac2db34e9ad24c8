"""Taking over from the public cloud."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field, field_validator

from inkgate.service.settings._group import MIB, SettingsGroup, secret
from inkgate.service.settings.addresses import checked_address, checked_proxy, split_url
from inkgate.service.settings.masking import without_passwords


class Takeover(SettingsGroup):
    """Taking over from the public cloud: calls sent on to it, by app and capability (docs/adr/0055-takeover-routes.md).

    With an empty `url` nothing is sent anywhere and the routes of the database have no effect.
    """

    url: str = Field(
        "", description="Origin of the cloud, https://HOST[:PORT]; empty: off, no call leaves the network."
    )
    address: str = Field(
        "",
        description="HOST[:PORT] to connect to in place of the URL's, for example where DNS leads the cloud's name to "
        "InkGate itself; certificate and SNI stay those of the URL.",
    )
    ca_file: Path | None = Field(None, description="PEM file of the authorities for the cloud; empty: the system's.")
    proxy_url: str = Field(
        "",
        description="http://[USER:PASSWORD@]HOST:PORT of an HTTP proxy on the way to the cloud.",
        json_schema_extra=secret("gateway"),
    )
    connect_timeout: float = Field(
        5.0, gt=0, le=60, description="Seconds for a connection to the cloud, waiting for a free one included."
    )
    read_timeout: float = Field(60.0, gt=0, le=600, description="Seconds for the cloud's whole answer to one call.")
    max_connections: int = Field(64, ge=1, le=4096, description="Connections to the cloud per gateway.")
    fallback: bool = Field(
        False, description="Send a call of a routed app to the cloud when this service is overloaded, in place of 503."
    )
    shadow_calls: int = Field(100, ge=0, le=10_000, description="Mirrored calls that wait to be read here; 0 none.")
    shadow_bytes: int = Field(64 * MIB, gt=0, description="Bytes of those calls and their answers, per gateway.")
    shadow_at_once: int = Field(1, ge=1, le=64, description="Mirrored calls that a gateway reads at once.")
    shadow_wait: float = Field(
        30.0, gt=0, le=3600, description="Seconds that a mirrored call waits for a free worker before it is left out."
    )
    report_values: int = Field(
        50, ge=0, le=1000, description="Pairs of different values that the report keeps per app, field and day; 0 none."
    )
    report_value_days: int = Field(30, ge=1, le=400, description="Days for which they are kept.")
    report_personal: bool = Field(
        False, description="Keep such values also of fields that may identify a person, and of running text."
    )

    @field_validator("url")
    @classmethod
    def _an_origin(cls, url: str) -> str:
        """Raises ValueError for anything but scheme, host and port."""
        if not url:
            return ""
        parts = split_url(url)
        if parts.scheme not in ("https", "http") or not parts.hostname:
            raise ValueError(f"{without_passwords(url)!r} is not https://HOST[:PORT]")
        if parts.path.strip("/") or parts.query or parts.fragment or parts.username is not None:
            raise ValueError("takes scheme, host and port only, as in https://ocr.example.com")
        return url.rstrip("/")

    @field_validator("address")
    @classmethod
    def _host_and_port(cls, address: str) -> str:
        """Raises ValueError for anything but host and port."""
        return checked_address(address)

    @field_validator("proxy_url")
    @classmethod
    def _a_proxy(cls, proxy_url: str) -> str:
        """Raises ValueError for anything but an HTTP proxy."""
        return checked_proxy(proxy_url)

    @property
    def enabled(self) -> bool:
        """Whether calls may be sent to the cloud."""
        return bool(self.url)
