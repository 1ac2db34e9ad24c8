"""The learning rate of both trainings."""

from __future__ import annotations


def rate_at(step: int, steps: int, rate: float) -> float:
    """Rises over the first 40 steps, stays, and falls to 2 % over the last two fifths. A run that is resumed with more
    steps goes back to the level part, so that it can be made longer at any time."""
    left = (steps - step) / (0.4 * steps)
    return rate * min(1.0, (step + 1) / 40) * min(1.0, max(0.02, left))
