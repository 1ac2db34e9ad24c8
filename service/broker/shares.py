"""A limited amount that apps share: whoever holds more than a fair share leaves the last part to the others.

Used for tasks and bytes of the queue and for the body bytes of a gateway. Pure counting, for one event loop.
"""

from __future__ import annotations

from collections.abc import Mapping

_RESERVED = 5  # one part in so many is kept for apps that hold less than their share
_NEWCOMER = 1.0  # the weight of an app that may come next: without it the last part would be lent to whoever is alone
DEFAULT_WEIGHT = 1.0


class FairShares:
    """Counts what each app holds of `limit`.

    An app below its share may use all that is free. An app above it, or one that would be, stops short of the reserve.
    The share is `limit` divided by weight among the apps that hold something, the one that asks, and one more. An app
    that holds nothing is below its share whatever it asks for. `largest` is what a single request may need: the
    reserve leaves room for it.
    """

    def __init__(self, limit: int, weights: Mapping[str, float] | None = None, *, largest: int = 0) -> None:
        self.limit, self.used = limit, 0
        self._weights = weights or {}
        self._reserve = min(limit // _RESERVED, max(0, limit - largest))
        self._held: dict[str, int] = {}

    def weight(self, app: str) -> float:
        """The app's weight, 1.0 where none was given."""
        return self._weights.get(app, DEFAULT_WEIGHT)

    def share(self, app: str) -> float:
        """What is due to the app at the moment."""
        others = sum(self.weight(other) for other in self._held if other != app)
        return self.limit * self.weight(app) / (others + self.weight(app) + _NEWCOMER)

    def may_acquire(self, app: str, amount: int) -> bool:
        """Whether the app may take `amount` more now."""
        own = self._held.get(app, 0)
        if self.used + amount <= self.limit - self._reserve:
            return True
        return self.used + amount <= self.limit and (not own or own + amount <= self.share(app))

    def may_continue(self, app: str, amount: int, *, before: int, announced: int) -> bool:
        """Whether a body of the app of which `before` has been taken may take `amount` more.

        What a body announced was judged by `fits` before its first byte. It is not refused in the middle because it
        passes the share by itself, only when the app's other bodies do: several that were let in together hold at
        most the share and one body. What was not announced is judged piece by piece. A body that is all the app holds
        may fill what is free.
        """
        beside = self._held.get(app, 0) - before
        if not beside or (before + amount <= announced and beside <= self.share(app)):
            return self.used + amount <= self.limit
        return self.may_acquire(app, amount)

    def acquire(self, app: str, amount: int) -> None:
        """Count `amount` in, without asking whether it fits."""
        self.used += amount
        self._held[app] = self._held.get(app, 0) + amount

    def release(self, app: str, amount: int) -> None:
        """Count `amount` out. An app that holds nothing any more is forgotten."""
        self.used -= amount
        left = self._held.get(app, 0) - amount
        if left > 0:
            self._held[app] = left
        else:
            self._held.pop(app, None)

    def in_use(self, app: str) -> int:
        """What the app holds."""
        return self._held.get(app, 0)
