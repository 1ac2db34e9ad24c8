"""The confidence interval of a share. Pure."""

from __future__ import annotations

import math
from dataclasses import dataclass

Z_95 = 1.959963984540054
"""The standard normal quantile of 0.975."""


def percent(share: float | None) -> str:
    """A share as a percentage with one decimal; 100.0% only when it is all, "–" for None."""
    if share is None:
        return "–"
    tenths = round(share * 1000)
    return f"{min(tenths, 999 if share < 1 else 1000) / 10:.1f}%"


@dataclass(frozen=True, slots=True)
class Share:
    """`count` of `total`, with its 95 % interval by Wilson (1927): inside 0..1, and of use near 1 and for few cases."""

    count: int
    total: int

    @property
    def value(self) -> float | None:
        """The share, None without cases."""
        return self.count / self.total if self.total else None

    @property
    def interval(self) -> tuple[float, float]:
        """Both ends of the interval; (0, 1) without cases."""
        if not self.total:
            return 0.0, 1.0
        share, square = self.count / self.total, Z_95 * Z_95 / self.total
        centre = (share + square / 2) / (1 + square)
        half = Z_95 / (1 + square) * math.sqrt(share * (1 - share) / self.total + square / (4 * self.total))
        low = 0.0 if self.count == 0 else max(0.0, centre - half)
        high = 1.0 if self.count == self.total else min(1.0, centre + half)
        return low, high

    @property
    def text(self) -> str:
        """The share with its interval, as 99.2% (98.7–99.6%); "–" without cases. Both ends, because the interval is not
        symmetrical near 1 and a margin around the share would reach beyond it."""
        low, high = self.interval
        return f"{percent(self.value)} ({percent(low).removesuffix('%')}–{percent(high)})" if self.total else "–"
