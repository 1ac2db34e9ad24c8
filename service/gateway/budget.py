"""A permit to enter: how many body bytes and images one gateway holds at a time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from service.errors import Overloaded


class Budget:
    """A counter with a ceiling. Not thread-safe: used on one event loop."""

    def __init__(self, limit: int, what: str) -> None:
        self.limit, self.used, self._what = limit, 0, what

    def check(self, amount: int) -> None:
        """Raise Overloaded when `amount` would not fit now."""
        if self.used + amount > self.limit:
            raise Overloaded(f"{self._what} in work: {self.used} + {amount} > {self.limit}")

    def take(self, amount: int) -> None:
        """Count `amount` in. Raises Overloaded when it does not fit."""
        self.check(amount)
        self.used += amount

    def give(self, amount: int) -> None:
        self.used -= amount

    @contextmanager
    def hold(self, amount: int) -> Iterator[None]:
        """Count `amount` in for the length of a block."""
        self.take(amount)
        try:
            yield
        finally:
            self.give(amount)
