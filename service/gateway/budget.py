"""A permit to enter: how many body bytes and images one gateway holds at a time."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from inkgate.service.broker.shares import Shares
from inkgate.service.errors import Overloaded


class Budget:
    """A counter with a ceiling that apps share. Not thread-safe: used on one event loop.

    `largest` is what one request may need; what lies above it may be kept for apps below their share (see Shares).
    Without it nothing is. `of` gives one app's view; the budget itself counts for those whose app is not known.
    """

    def __init__(
        self, limit: int, what: str, *, weights: Mapping[str, float] | None = None, largest: int | None = None
    ) -> None:
        self._shares = Shares(limit, weights, largest=limit if largest is None else largest)
        self._what, self._app = what, ""

    def of(self, app: str) -> Budget:
        """The same budget, counting for `app`."""
        view = copy.copy(self)
        view._app = app
        return view

    @property
    def limit(self) -> int:
        return self._shares.limit

    @property
    def used(self) -> int:
        """What all apps hold together."""
        return self._shares.used

    def check(self, amount: int) -> None:
        """Raise Overloaded when `amount` would not fit now."""
        if not self._shares.fits(self._app, amount):
            raise self._overloaded(amount)

    def take(self, amount: int) -> None:
        """Count `amount` in. Raises Overloaded when it does not fit."""
        self.check(amount)
        self._shares.take(self._app, amount)

    def take_piece(self, amount: int, *, before: int, announced: int) -> None:
        """Count `amount` more in of a body of which `before` is counted already; `announced` is what `check` let in,
        0 for a body without a length. Raises Overloaded (see Shares.goes_on)."""
        if not self._shares.goes_on(self._app, amount, before=before, announced=announced):
            raise self._overloaded(amount)
        self._shares.take(self._app, amount)

    def _overloaded(self, amount: int) -> Overloaded:
        own = self._shares.held(self._app)
        return Overloaded(f"{self._what} in work: {self.used} ({own} of this app) + {amount}, limit {self.limit}")

    def give(self, amount: int) -> None:
        self._shares.give(self._app, amount)

    @contextmanager
    def hold(self, amount: int) -> Iterator[None]:
        """Count `amount` in for the length of a block."""
        self.take(amount)
        try:
            yield
        finally:
            self.give(amount)
