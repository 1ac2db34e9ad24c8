"""Fair sharing of a limit between apps: an app above its share leaves a reserve to the others.

Used for tasks and bytes of the queue and for the body bytes of a gateway. Not thread-safe: used on one event loop.
"""

from __future__ import annotations

from collections.abc import Mapping

_RESERVE_DIVISOR = 5  # divisor: limit // 5 is reserved for apps below their share
_NEW_APP_WEIGHT = 1.0  # weight of a potential further app, so that a single app leaves the reserve free
DEFAULT_WEIGHT = 1.0


def cost_of_image(weights: Mapping[str, float], app: str) -> float:
    """What an image of an app adds to its share of the fair queue; `weights` are those other than DEFAULT_WEIGHT."""
    return 1 / weights.get(app, DEFAULT_WEIGHT)


class FairShares:
    """Counts the amount of `limit` that each app has acquired.

    An app below its share may use all that is free. An app that is, or would be, above its share may not use the
    reserve. The share is `limit` divided by weight between the apps in use, the requesting app, and one potential
    further app. An app without any amount is below its share for every request. `largest` is the most that one request
    may need: the reserve is at most `limit - largest`.
    """

    def __init__(self, limit: int, weights: Mapping[str, float] | None = None, *, largest: int = 0) -> None:
        self.limit, self.used = limit, 0
        self._weights = weights or {}
        self._reserve = min(limit // _RESERVE_DIVISOR, max(0, limit - largest))
        self._held: dict[str, int] = {}

    def weight(self, app: str) -> float:
        """The app's weight, default 1.0."""
        return self._weights.get(app, DEFAULT_WEIGHT)

    def share(self, app: str) -> float:
        """The app's current fair share."""
        others = sum(self.weight(other) for other in self._held if other != app)
        return self.limit * self.weight(app) / (others + self.weight(app) + _NEW_APP_WEIGHT)

    def may_acquire(self, app: str, amount: int) -> bool:
        """Whether the app may acquire `amount` more now."""
        own = self._held.get(app, 0)
        if self.used + amount <= self.limit - self._reserve:
            return True
        return self.used + amount <= self.limit and (not own or own + amount <= self.share(app))

    def may_continue(self, app: str, amount: int, *, before: int, announced: int) -> bool:
        """Whether a body of the app that has acquired `before` may acquire `amount` more.

        The announced length was checked by `may_acquire` before the first byte. Such a body is not refused half way
        because it exceeds the share by itself, only when the app's other bodies do: concurrent bodies of an app acquire
        at most the share plus one body. Bytes beyond the announced length are checked piece by piece. The only body of
        an app may use all that is free.
        """
        beside = self._held.get(app, 0) - before
        if not beside or (before + amount <= announced and beside <= self.share(app)):
            return self.used + amount <= self.limit
        return self.may_acquire(app, amount)

    def acquire(self, app: str, amount: int) -> None:
        """Add `amount`, without a check."""
        self.used += amount
        self._held[app] = self._held.get(app, 0) + amount

    def release(self, app: str, amount: int) -> None:
        """Subtract `amount`; an app without any amount is removed."""
        self.used -= amount
        left = self._held.get(app, 0) - amount
        if left > 0:
            self._held[app] = left
        else:
            self._held.pop(app, None)

    def in_use(self, app: str) -> int:
        """The amount that the app has acquired."""
        return self._held.get(app, 0)
