"""What every way of sending takes and raises. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from inkgate.service.notices.kinds import Kind
from inkgate.service.notices.texts import NoticeText

Algorithm = Literal["sha256", "sm3"]
"""Hash of the HMAC with which a webhook is signed."""


class DeliveryFailed(Exception):
    """An attempt failed; the message is shown to people and has no secret in it."""


@dataclass(frozen=True, slots=True)
class ChannelConfig:
    """The secret part of a channel: mail addresses, or URL, secret and algorithm."""

    addresses: tuple[str, ...] = ()
    url: str = field(default="", repr=False)
    secret: str = field(default="", repr=False)
    algorithm: Algorithm = "sha256"


@dataclass(frozen=True, slots=True)
class OutgoingNotice:
    """A notice with its text. `id` is the same in every attempt, so that a receiver can drop a repetition."""

    id: str
    kind: Kind
    language: str
    text: NoticeText
    params: Mapping[str, Any]
    account_id: str | None
    began_at: datetime
