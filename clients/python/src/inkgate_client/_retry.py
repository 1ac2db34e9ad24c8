"""The retry policy."""

from __future__ import annotations

import random
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Retry:
    """At most `tries` attempts with exponential back-off and jitter, from `first` to `longest` seconds.

    A longer Retry-After of the service is honoured; one above `longest` ends the attempts at once.
    """

    tries: int = 5
    first: float = 0.5
    longest: float = 30.0

    def wait(self, sent: int, asked: float = 0.0) -> float | None:
        """Seconds to wait after `sent` attempts, or None to give up. `asked` is Retry-After in seconds."""
        if sent >= self.tries or asked > self.longest:
            return None
        backoff = min(self.longest, self.first * 2.0 ** (sent - 1)) * random.uniform(0.5, 1.0)  # noqa: S311 - no secret
        return max(asked, backoff)


NEVER = Retry(tries=1)
