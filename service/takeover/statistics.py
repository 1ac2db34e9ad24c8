"""The confidence interval of a share. Pure."""

from __future__ import annotations

import math
from dataclasses import dataclass

Z_95 = 1.959963984540054
"""The standard normal quantile of 0.975."""


def percent(share: float | None) -> str:
    """A share as a percentage with one decimal; 100.0 % only when it is all, "–" for None."""
    if share is None:
        return "–"
    tenths = round(share * 1000)
    return f"{min(tenths, 999 if share < 1 else 1000) / 10:.1f} %"


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
    def margin(self) -> float:
        """The larger distance from the share to an end of the interval, for texts of the form "99.2 % ± 0.4"."""
        low, high = self.interval
        value = self.value
        return 1.0 if value is None else max(value - low, high - value)

    @property
    def text(self) -> str:
        """The share with its margin, as 99.2 % ± 0.4; "–" without cases."""
        return f"{percent(self.value)} ± {self.margin * 100:.1f}" if self.total else "–"
