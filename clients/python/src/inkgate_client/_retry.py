"""When to try again, and how long to wait."""

from __future__ import annotations

import random
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Retry:
    """Up to `tries` sendings; waits double from `first` seconds to at most `longest`, a part of each at random.

    The service's Retry-After is honoured when it asks for more; one above `longest` ends the tries at once.
    """

    tries: int = 5
    first: float = 0.5
    longest: float = 30.0

    def wait(self, sent: int, asked: float = 0.0) -> float | None:
        """Seconds to wait after `sent` sendings, or None to give up. `asked` is Retry-After in seconds."""
        if sent >= self.tries or asked > self.longest:
            return None
        ours = min(self.longest, self.first * 2.0 ** (sent - 1)) * random.uniform(0.5, 1.0)  # noqa: S311 - no secret
        return max(asked, ours)


NEVER = Retry(tries=1)
