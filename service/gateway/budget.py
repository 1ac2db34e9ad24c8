"""The limit of body bytes and images that one gateway holds at a time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from inkgate.service.broker.shares import FairShares
from inkgate.service.errors import Overloaded


class Budget:
    """A limit shared between apps. Not thread-safe: used on one event loop.

    `largest` is the most that one request may need; capacity above it may be reserved for apps below their fair share
    (see FairShares), by default nothing is. `for_app` returns a view for one app; the budget itself counts for requests
    whose app is unknown. `what` names the unit in error messages.
    """

    def __init__(
        self, limit: int, what: str, *, weights: Mapping[str, float] | None = None, largest: int | None = None
    ) -> None:
        self._shares = FairShares(limit, weights, largest=limit if largest is None else largest)
        self._what, self._app = what, ""

    def for_app(self, app: str) -> Budget:
        """A view of the same budget that counts for `app`."""
        view = Budget.__new__(Budget)
        view._shares, view._what, view._app = self._shares, self._what, app
        return view

    @property
    def limit(self) -> int:
        return self._shares.limit

    @property
    def used(self) -> int:
        """The amount in use by all apps."""
        return self._shares.used

    def check(self, amount: int) -> None:
        """Raise Overloaded when `amount` cannot be acquired now."""
        if not self._shares.may_acquire(self._app, amount):
            raise self._overloaded(amount)

    def acquire(self, amount: int) -> None:
        """Acquire `amount`. Raises Overloaded when it exceeds the limit or the app's share."""
        self.check(amount)
        self._shares.acquire(self._app, amount)

    def acquire_piece(self, amount: int, *, before: int, announced: int) -> None:
        """Acquire `amount` more for a body of which `before` is acquired already. `announced` is the length that
        `check` accepted, 0 for a body without a length. Raises Overloaded (see FairShares.may_continue)."""
        if not self._shares.may_continue(self._app, amount, before=before, announced=announced):
            raise self._overloaded(amount)
        self._shares.acquire(self._app, amount)

    def _overloaded(self, amount: int) -> Overloaded:
        own = self._shares.in_use(self._app)
        return Overloaded(f"{self._what} in work: {self.used} ({own} of this app) + {amount}, limit {self.limit}")

    def release(self, amount: int) -> None:
        self._shares.release(self._app, amount)

    @contextmanager
    def reserve(self, amount: int) -> Iterator[None]:
        """Acquire `amount` for the duration of a block."""
        self.acquire(amount)
        try:
            yield
        finally:
            self.release(amount)
