"""The types of what comes in over the admin API: what columns take is checked here, so both databases refuse alike."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

from fastapi import Query
from pydantic import AfterValidator, AwareDatetime, BeforeValidator, StringConstraints

from inkgate.service.db.ids import CANONICAL
from inkgate.service.errors import Misuse

EARLIEST, LATEST = datetime(1970, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)
STORABLE = r"^[^\x00]*$"  # Postgres takes no NUL; halves of surrogate pairs are refused before


def _no_number(value: object) -> object:
    """A bare number would be read as seconds since 1970, though the description says date and time."""
    if isinstance(value, str) and value.replace(".", "", 1).lstrip("+-").isdigit():
        raise ValueError("give a date and time, like 2026-01-31T08:00:00+08:00")
    if isinstance(value, int | float):
        raise ValueError("give a date and time, like 2026-01-31T08:00:00+08:00")
    return value


def _in_range(value: datetime) -> datetime:
    """Instants that both databases take in every zone. Not a ValueError: the form is right, the time is not."""
    if not EARLIEST <= value < LATEST:
        raise Misuse("moment.out_of_range", first=EARLIEST.year, last=LATEST.year)
    return value


Id = Annotated[str, StringConstraints(pattern=f"^{CANONICAL.pattern}$")]
"""A UUID as we write it: lower case, with hyphens."""

OrderNumber = Annotated[str, StringConstraints(pattern="^[0-9]{20}$")]
AccessKeyId = Annotated[str, StringConstraints(pattern="^[0-9a-f]{32}$")]
ProductId = Annotated[str, StringConstraints(min_length=1, max_length=32, pattern=STORABLE)]
Word = Annotated[str, StringConstraints(max_length=64, pattern=STORABLE)]
"""A name of ours or what is searched for: a capability, a state, a part of a name."""

Limit = Annotated[int, Query(ge=1, le=1000)]
"""Rows that a list answers with at most."""

Text = Annotated[str, StringConstraints(max_length=500, pattern=STORABLE)]
Moment = Annotated[AwareDatetime, BeforeValidator(_no_number), AfterValidator(_in_range)]
