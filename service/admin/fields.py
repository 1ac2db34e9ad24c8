"""Field types of the admin API. They check what the columns accept, so that both databases reject the same values."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

from fastapi import Query
from pydantic import AfterValidator, AwareDatetime, BeforeValidator, Field, StrictInt, StringConstraints

from inkgate.service.accounts.rules import KEY_ID
from inkgate.service.db.ids import CANONICAL
from inkgate.service.errors import Misuse

EARLIEST, LATEST = datetime(1970, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)
STORABLE = r"^[^\x00]*$"  # PostgreSQL accepts no NUL; unpaired surrogates are rejected earlier


def _reject_number(value: object) -> object:
    """Rejects a bare number, which pydantic would read as seconds since 1970. Raises ValueError."""
    if isinstance(value, str) and value.replace(".", "", 1).lstrip("+-").isdigit():
        raise ValueError("give a date and time, like 2026-01-31T08:00:00+08:00")
    if isinstance(value, int | float):
        raise ValueError("give a date and time, like 2026-01-31T08:00:00+08:00")
    return value


def _in_range(value: datetime) -> datetime:
    """Checks that both databases accept the instant in every zone. Raises Misuse, since the format is valid."""
    if not EARLIEST <= value < LATEST:
        raise Misuse("moment.out_of_range", first=EARLIEST.year, last=LATEST.year)
    return value


def _integral(value: object) -> object:
    """A whole number written with a point, such as 72.0, as an int: an integer in JSON Schema."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


Integer = Annotated[StrictInt, BeforeValidator(_integral)]
"""A whole number of JSON; neither text nor a Boolean."""

Percent = Annotated[StrictInt, Field(ge=0, le=100), BeforeValidator(_integral)]

Id = Annotated[str, StringConstraints(pattern=f"^{CANONICAL.pattern}$")]
"""A UUID in canonical form: lower case, with hyphens."""

OrderNumber = Annotated[str, StringConstraints(pattern="^[0-9]{20}$")]
AccessKeyId = Annotated[str, StringConstraints(pattern=f"^{KEY_ID.pattern}$")]
ProductId = Annotated[str, StringConstraints(min_length=1, max_length=32, pattern=STORABLE)]
ShortText = Annotated[str, StringConstraints(max_length=64, pattern=STORABLE)]
"""A name or a search text: a capability, a state, a part of a name."""

Limit = Annotated[int, Query(ge=1, le=1000)]
"""Maximum number of rows of a list."""

Offset = Annotated[int, Query(ge=0, le=1_000_000_000)]
"""Number of rows of a list to skip."""

MAX_ROWS = 1000
"""Rows of a list that had no limit before, by default."""

LongText = Annotated[str, StringConstraints(max_length=500, pattern=STORABLE)]
Instant = Annotated[AwareDatetime, BeforeValidator(_reject_number), AfterValidator(_in_range)]
