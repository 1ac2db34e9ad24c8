"""Hold-off of apps whose images kill workers (docs/adr/0046-hold-off.md).

Two faults are counted: deaths that are certainly caused by the image, of a process that read it in isolation, and, with
a fifth of the weight, overruns: images that kept one worker busy for nearly all of their deadline and past it.
`HoldOffs` counts in memory, for the embedded broker; over Redis `lua/strike.lua` does the same.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from dataclasses import dataclass, field

from inkgate.service.background import backoff_seconds

MAX_HOLD_OFF_SECONDS = 3600.0  # each hold-off within HOLD_OFF_MEMORY_SECONDS of the previous one doubles, up to this
HOLD_OFF_MEMORY_SECONDS = 86_400.0  # for which a hold-off lengthens the next one
OVERRUNS_PER_DEATH = 5  # overruns that weigh as much as one death
DEATH_POINTS, OVERRUN_POINTS = OVERRUNS_PER_DEATH, 1
MIN_HELD_SHARE = 0.8  # of the time to the deadline, for which one worker must have held an image that overran
OVERRUN_GRACE_SHARE = 0.5  # of the watchdog's grace after a deadline; an image that runs longer has overrun
MAX_TRACKED_APPS = 1000  # the app with the oldest fault is evicted first


@dataclass(frozen=True, slots=True)
class HoldOffRule:
    """`deaths` within `window` seconds hold an app off for `seconds`; 0 deaths disable hold-off."""

    deaths: int = 0
    window: float = 600.0
    seconds: float = 600.0

    @property
    def max_points(self) -> int:
        """The number of points at which an app is held off."""
        return self.deaths * DEATH_POINTS


def counts_as_overrun(left: float, granted: float) -> bool:
    """Whether an image started with `left` of the `granted` seconds to its deadline may count as an overrun.

    An image started late may miss its deadline only because it waited.
    """
    return left >= MIN_HELD_SHARE * granted


@dataclass(slots=True)
class _AppRecord:
    points: deque[float] = field(default_factory=deque)
    times: int = 0
    until: float = 0.0


class HoldOffs:
    """Faults and hold-offs by app. `now` is Unix time in seconds."""

    def __init__(self, rule: HoldOffRule) -> None:
        self._rule = rule
        self._apps: OrderedDict[str, _AppRecord] = OrderedDict()

    def record_fault(self, app: str, now: float, points: int = DEATH_POINTS) -> float:
        """Count a death or, by its points, an overrun.

        Returns the seconds of the hold-off that this fault caused, else 0.0.
        """
        if not self._rule.deaths or not app:
            return 0.0
        record = self._apps.setdefault(app, _AppRecord())
        self._apps.move_to_end(app)
        if len(self._apps) > MAX_TRACKED_APPS:
            self._apps.popitem(last=False)
        record.points.extend([now] * points)
        while record.points[0] <= now - self._rule.window:
            record.points.popleft()
        if len(record.points) < self._rule.max_points:
            return 0.0
        record.points.clear()
        record.times = record.times + 1 if now < record.until + HOLD_OFF_MEMORY_SECONDS else 1
        seconds = max(self._rule.seconds, backoff_seconds(record.times, self._rule.seconds, MAX_HOLD_OFF_SECONDS))
        record.until = now + seconds
        return seconds

    def remaining_seconds(self, app: str, now: float) -> float:
        """Remaining seconds of the app's hold-off, 0.0 when it is not held off."""
        record = self._apps.get(app)
        return 0.0 if record is None else max(0.0, record.until - now)

    def count_held(self, now: float) -> int:
        """The number of apps that are held off."""
        return sum(record.until > now for record in self._apps.values())
