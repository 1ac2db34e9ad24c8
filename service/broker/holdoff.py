"""Apps whose images kill workers are held off for a while (docs/adr/0046-hold-off.md).

Counted are deaths that are certainly the image's: of a process that read it alone, and of a worker that the image kept
busy past its deadline. `HoldOffs` keeps the count in memory, for the embedded broker; over Redis `lua/strike.lua` does.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from dataclasses import dataclass, field

LONGEST = 3600.0  # seconds; each hold-off within a day of the one before lasts twice as long, up to this
REMEMBERED = 86_400.0  # seconds for which a hold-off counts towards the length of the next one
APPS = 1000  # apps that are kept in mind; the one whose image killed longest ago goes first


@dataclass(frozen=True, slots=True)
class HoldOffRule:
    """So many `deaths` within `window` seconds hold an app off for `seconds`; 0 deaths: never."""

    deaths: int = 0
    window: float = 600.0
    seconds: float = 600.0


@dataclass(slots=True)
class _Record:
    deaths: deque[float] = field(default_factory=deque)
    times: int = 0
    until: float = 0.0


class HoldOffs:
    """The deaths of each app. Moments are Unix time in seconds."""

    def __init__(self, rule: HoldOffRule) -> None:
        self._rule = rule
        self._apps: OrderedDict[str, _Record] = OrderedDict()

    def strike(self, app: str, now: float) -> float:
        """Count a death; the seconds for which the app is held off if this one was too many, else 0.0."""
        if not self._rule.deaths or not app:
            return 0.0
        record = self._apps.setdefault(app, _Record())
        self._apps.move_to_end(app)
        if len(self._apps) > APPS:
            self._apps.popitem(last=False)
        record.deaths.append(now)
        while record.deaths[0] <= now - self._rule.window:
            record.deaths.popleft()
        if len(record.deaths) < self._rule.deaths:
            return 0.0
        record.deaths.clear()
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
