"""Notices to customers and operators."""

from __future__ import annotations

import re
from email.utils import parseaddr
from ipaddress import ip_network
from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr, field_validator, model_validator

from inkgate.service.settings._group import SettingsGroup, secret
from inkgate.service.settings.addresses import checked_proxy, split_url

MAIL_ADDRESS = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9](?:[A-Za-z0-9.-]{0,250}[A-Za-z0-9])?")
"""An e-mail address in the form that every mail server accepts: no quotes, no blanks, ASCII."""


class Notices(SettingsGroup):
    """Notices to customers and operators (docs/howto/notices.md)."""

    enabled: bool = Field(True, description="Look for conditions and send notices about them.")
    interval: float = Field(60.0, gt=0, le=3600, description="Seconds between two looks.")
    language: Literal["zh", "en"] = Field("zh", description="Language of a channel that names none.")
    low_percent: int = Field(
        10,
        ge=0,
        le=100,
        description="A balance is low at this share of the valid units; 0 never. Per account: console.",
    )
    low_days: int = Field(
        7, ge=0, le=365, description="A balance is low when it lasts these days at the rate of the last week; 0 never."
    )
    expiry_days: int = Field(
        14, ge=0, le=365, description="Days before its end a pack with units is announced; 0 never."
    )
    waiting_minutes: float = Field(
        10.0, ge=0, description="Minutes after which an undecided order or refund is announced."
    )
    workers_seconds: float = Field(120.0, ge=0, description="Seconds without a live worker before that is announced.")
    certificate_days: int = Field(21, ge=1, le=365, description="Days before its end a certificate is announced.")
    certificate_hosts: tuple[str, ...] = Field(
        (),
        description="HOST:PORT of TLS servers whose certificates are watched, besides INKGATE_TELEMETRY__CERTIFICATES.",
    )
    attempts: int = Field(8, ge=1, le=20, description="Times that a notice is tried before it counts as failed.")
    timeout: float = Field(10.0, gt=0, le=60, description="Seconds for one attempt; a mail server gets it per step.")
    kept_days: int = Field(180, ge=1, le=3650, description="Days for which sent and failed notices are listed.")
    smtp_host: str = Field("", description="Mail server; empty: no e-mail.")
    smtp_port: int = Field(587, ge=1, le=65535, description="Its port.")
    smtp_tls: Literal["starttls", "implicit", "none"] = Field(
        "starttls", description="TLS to it: STARTTLS, from the first byte (port 465), or none (inside one host only)."
    )
    smtp_ca_file: Path | None = Field(None, description="PEM file of the authorities for it; empty: the system's.")
    smtp_user: str = Field("", description="User name there; empty: no authentication.")
    smtp_password: SecretStr | None = Field(None, description="Password there.", json_schema_extra=secret("gateway"))
    smtp_from: str = Field("", description="Sender's address, for example InkGate <inkgate@example.com>.")
    customer_hosts: tuple[str, ...] = Field(
        ("qyapi.weixin.qq.com", "oapi.dingtalk.com", "open.feishu.cn"),
        description="Hosts to which customers' webhooks and bots may send; operators may name any host.",
    )
    networks: tuple[str, ...] = Field(
        (),
        description="CIDRs to which webhooks and bots may send besides public addresses (customers) and all but "
        "loopback and link-local ones (operators).",
    )
    plain_http: bool = Field(False, description="Accept http:// URLs of webhooks and bots; else https:// only.")
    ca_file: Path | None = Field(None, description="PEM file of the authorities for them; empty: the system's.")
    proxy_url: str = Field(
        "",
        description="http://[USER:PASSWORD@]HOST:PORT of an HTTP proxy for them; it resolves the names then.",
        json_schema_extra=secret("gateway"),
    )

    @field_validator("smtp_from")
    @classmethod
    def _one_address(cls, text: str) -> str:
        """Raises ValueError for anything but one address, with or without a name."""
        if not text:
            return ""
        if not text.isprintable() or not MAIL_ADDRESS.fullmatch(parseaddr(text)[1]):
            raise ValueError("is not an address like InkGate <inkgate@example.com>")
        return text

    @field_validator("networks")
    @classmethod
    def _cidrs(cls, networks: tuple[str, ...]) -> tuple[str, ...]:
        """Raises ValueError for anything but networks."""
        for each in networks:
            ip_network(each)
        return networks

    @field_validator("certificate_hosts")
    @classmethod
    def _hosts_and_ports(cls, hosts: tuple[str, ...]) -> tuple[str, ...]:
        """Raises ValueError for anything but host and port."""
        for each in hosts:
            parts = split_url(f"//{each}")
            if not parts.hostname or not parts.port or parts.netloc != each or parts.username is not None:
                raise ValueError(f"{each!r} is not HOST:PORT")
        return hosts

    @field_validator("proxy_url")
    @classmethod
    def _a_proxy(cls, proxy_url: str) -> str:
        """Raises ValueError for anything but an HTTP proxy."""
        return checked_proxy(proxy_url)

    @model_validator(mode="after")
    def _complete_mail(self) -> Notices:
        """Raises ValueError for a mail server without a sender, and for a password that would go in clear."""
        if self.smtp_host and not self.smtp_from:
            raise ValueError("INKGATE_NOTICES__SMTP_HOST needs INKGATE_NOTICES__SMTP_FROM")
        if self.smtp_user and self.smtp_tls == "none":
            raise ValueError("INKGATE_NOTICES__SMTP_USER needs TLS: set INKGATE_NOTICES__SMTP_TLS")
        return self
