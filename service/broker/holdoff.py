"""Apps whose images kill workers are held off for a while (docs/adr/0046-hold-off.md).

Counted are deaths that are certainly the image's, of a process that read it alone, and, a fifth each, overruns: images
that kept one worker busy for nearly all of their deadline and past it. `HoldOffs` keeps the count in memory, for the
embedded broker; over Redis `lua/strike.lua` does.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from dataclasses import dataclass, field

LONGEST = 3600.0  # seconds; each hold-off within a day of the one before lasts twice as long, up to this
REMEMBERED = 86_400.0  # seconds for which a hold-off counts towards the length of the next one
OVERRUNS = 5  # overruns that count as one death
DEATH_POINTS, OVERRUN_POINTS = OVERRUNS, 1
HELD = 0.8  # of the time a call was granted, for which one worker must have held an image that overran
OVERRAN = 0.5  # of what the watchdog grants past a deadline: an image that runs on for so long has overrun
APPS = 1000  # apps that are kept in mind; the one whose image killed longest ago goes first


@dataclass(frozen=True, slots=True)
class HoldOffRule:
    """So many `deaths` within `window` seconds hold an app off for `seconds`; 0 deaths: never."""

    deaths: int = 0
    window: float = 600.0
    seconds: float = 600.0

    @property
    def points(self) -> int:
        """The points that are too many."""
        return self.deaths * DEATH_POINTS


def held_throughout(left: float, granted: float) -> bool:
    """Whether an image that was begun with `left` of the `granted` seconds to its deadline may count as an overrun.

    That one that was begun late is not done in time shows only that it waited.
    """
    return left >= HELD * granted


@dataclass(slots=True)
class _Record:
    points: deque[float] = field(default_factory=deque)
    times: int = 0
    until: float = 0.0


class HoldOffs:
    """The deaths of each app. Moments are Unix time in seconds."""

    def __init__(self, rule: HoldOffRule) -> None:
        self._rule = rule
        self._apps: OrderedDict[str, _Record] = OrderedDict()

    def strike(self, app: str, now: float, points: int = DEATH_POINTS) -> float:
        """Count a death or, by its points, an overrun.

        Returns the seconds for which the app is held off if this one was too many, else 0.0.
        """
        if not self._rule.deaths or not app:
            return 0.0
        record = self._apps.setdefault(app, _Record())
        self._apps.move_to_end(app)
        if len(self._apps) > APPS:
            self._apps.popitem(last=False)
        record.points.extend([now] * points)
        while record.points[0] <= now - self._rule.window:
            record.points.popleft()
        if len(record.points) < self._rule.points:
            return 0.0
        record.points.clear()
        record.times = record.times + 1 if now < record.until + REMEMBERED else 1
        seconds = max(self._rule.seconds, min(LONGEST, self._rule.seconds * 2.0 ** (record.times - 1)))
        record.until = now + seconds
        return seconds

    def left(self, app: str, now: float) -> float:
        """Seconds for which the app is still held off; 0.0: it is not."""
        record = self._apps.get(app)
        return 0.0 if record is None else max(0.0, record.until - now)

    def held(self, now: float) -> int:
        """How many apps are held off."""
        return sum(record.until > now for record in self._apps.values())
