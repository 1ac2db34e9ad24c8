"""Directory of access keys and apps for the gateway (read only, cached for a few seconds)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Network, IPv6Network
from typing import Protocol

Network = IPv4Network | IPv6Network


@dataclass(frozen=True, slots=True)
class AccessKey:
    """An account's access key pair, decrypted. `secret` is used as raw bytes in the signature (CONTRACT R2)."""

    ak: str
    secret: bytes = field(repr=False)
    account_id: str


@dataclass(frozen=True, slots=True)
class OpenedCapability:
    """A capability that an app has opened: its request rate per second and the addresses that may call it."""

    qps: float
    allowed: tuple[Network, ...] = ()  # empty: every address


@dataclass(frozen=True, slots=True)
class App:
    """The data of an app used for admission. `allowed` empty means that every address may call."""

    app_id: str
    account_id: str
    appkey: str
    name: str
    opened: Mapping[str, OpenedCapability]
    allowed: tuple[Network, ...] = ()
    extras: bool = False
    sm2_private_key: bytes = field(default=b"", repr=False)  # 32 bytes, big-endian


class Directory(Protocol):
    async def access_key(self, ak: str) -> AccessKey | None:
        """The enabled access key with this id, or None."""

    async def app(self, appkey: str) -> App | None:
        """The live app with this AppKey, or None."""
