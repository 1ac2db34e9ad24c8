"""Sums and differing values of observed calls in memory, until they are written. Bounded. For one event loop."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, NamedTuple

from inkgate.service.takeover.compare import Difference
from inkgate.service.takeover.observation import Observation
from inkgate.service.takeover.observation_models import FIELD_CHARACTERS, VALUE_CHARACTERS
from inkgate.service.usage.rollup import day_of

MAX_FIGURES = 50_000
"""Distinct sums that wait for the database; about 130 of an app, capability and day."""
MAX_DIFFERENCES = 5_000
"""Distinct pairs of values that wait for the database."""


@dataclass(frozen=True, slots=True)
class Keeping:
    """What is kept of differing values: pairs per field and day (0: none), and whether personal ones are among them."""

    values_per_field: int = 50
    personal_values: bool = False


class FigureKey(NamedTuple):
    """The key of a sum, and the account of the app."""

    app_id: str
    capability: str
    day: datetime
    measure: str
    account_id: str


class DifferenceKey(NamedTuple):
    """The key of a pair of values, and the account of the app."""

    app_id: str
    capability: str
    day: datetime
    field: str
    slot: int
    account_id: str


@dataclass(frozen=True, slots=True)
class Pair:
    """Two different values as they are stored, and how often they came."""

    cloud: str
    local: str
    personal: bool
    last_at: datetime
    count: int = 1


class Tally:
    """Adds up what observed calls add. What has no room is counted in `dropped`."""

    def __init__(self, keeping: Keeping) -> None:
        self._keeping = keeping
        self.figures: dict[FigureKey, int] = {}
        self.differences: dict[DifferenceKey, Pair] = {}
        self.dropped = 0

    def __bool__(self) -> bool:
        return bool(self.figures or self.differences)

    def add(self, observation: Observation, counts: Mapping[str, int], differences: tuple[Difference, ...]) -> None:
        """Add the sums and the differing values of one call."""
        day = day_of(observation.at)
        for measure, count in counts.items():
            key = FigureKey(observation.app_id, observation.capability, day, measure, observation.account_id)
            self.add_figure(key, count)
        for each in differences:
            if each.personal and not self._keeping.personal_values:
                continue
            self._add_difference(observation, day, each)

    def add_figure(self, key: FigureKey, count: int) -> None:
        if key not in self.figures and len(self.figures) >= MAX_FIGURES:
            self.dropped += 1
            return
        self.figures[key] = self.figures.get(key, 0) + count

    def add_pair(self, key: DifferenceKey, pair: Pair) -> None:
        known = self.differences.get(key)
        if known is None:
            if len(self.differences) < MAX_DIFFERENCES:
                self.differences[key] = pair
        elif (known.cloud, known.local) == (pair.cloud, pair.local):
            latest = max(known.last_at, pair.last_at)
            self.differences[key] = replace(known, count=known.count + pair.count, last_at=latest)

    def take(self) -> Tally:
        """All that is here, which is then empty but for `dropped`."""
        taken = Tally(self._keeping)
        taken.figures, self.figures = self.figures, {}
        taken.differences, self.differences = self.differences, {}
        return taken

    def give_back(self, taken: Tally) -> None:
        """Add what could not be written again."""
        for key, count in taken.figures.items():
            self.add_figure(key, count)
        for place, pair in taken.differences.items():
            self.add_pair(place, pair)

    def figure_rows(self) -> list[dict[str, Any]]:
        return [{**key._asdict(), "count": count} for key, count in self.figures.items()]

    def difference_rows(self) -> list[dict[str, Any]]:
        return [
            {
                **key._asdict(),
                "cloud": pair.cloud,
                "local": pair.local,
                "personal": pair.personal,
                "last_at": pair.last_at,
                "count": pair.count,
            }
            for key, pair in self.differences.items()
        ]

    def _add_difference(self, observation: Observation, day: datetime, each: Difference) -> None:
        if self._keeping.values_per_field < 1:
            return
        cloud, local = storable(each.cloud), storable(each.local)
        slot = slot_of(cloud, local, self._keeping.values_per_field)
        field = each.field[:FIELD_CHARACTERS]
        key = DifferenceKey(observation.app_id, observation.capability, day, field, slot, observation.account_id)
        self.add_pair(key, Pair(cloud, local, each.personal, observation.at))


def storable(value: str) -> str:
    """The beginning of a value, as both databases store it: without NUL."""
    return value[:VALUE_CHARACTERS].replace("\0", "\ufffd")


def slot_of(cloud: str, local: str, slots: int) -> int:
    """The slot of a pair of values, the same in every process."""
    digest = hashlib.sha256(f"{cloud}\0{local}".encode()).digest()
    return int.from_bytes(digest[:8], "big") % slots
