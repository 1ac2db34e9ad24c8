"""UUIDv7 (RFC 9562): ids ordered by their creation time in milliseconds, and the bounds of a day."""

from __future__ import annotations

import re
import secrets
import time
import uuid
from datetime import UTC, date, datetime

CANONICAL = re.compile("[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")


def is_canonical_uuid(text: str) -> bool:
    """Whether a text is a UUID in canonical form. Checked before queries: Postgres raises for other text, where SQLite
    finds no row."""
    return CANONICAL.fullmatch(text) is not None


def new() -> str:
    """A new UUIDv7 as 36 characters."""
    return _compose(time.time_ns() // 1_000_000, secrets.randbits(74))


def new_at(moment: datetime, noise: int) -> str:
    """A UUIDv7 of a given time; `noise` is its 74 random bits."""
    return _compose(int(moment.timestamp() * 1000), noise)


def first_id_of_day(day: date) -> str:
    """The smallest UUIDv7 of `day` (UTC)."""
    midnight = datetime(day.year, day.month, day.day, tzinfo=UTC)
    return str(uuid.UUID(int=int(midnight.timestamp()) * 1000 << 80))


def timestamp_of(identifier: str) -> datetime:
    """The creation time in a UUIDv7, by the clock of the creating machine."""
    return datetime.fromtimestamp((uuid.UUID(identifier).int >> 80) / 1000, UTC)


def _compose(milliseconds: int, noise: int) -> str:
    value = milliseconds << 80 | 0x7 << 76 | (noise >> 62 & 0xFFF) << 64 | 0b10 << 62 | noise & (1 << 62) - 1
    return str(uuid.UUID(int=value))
