"""Health as three questions that must not be confused.

started   the process has loaded what it needs; until then nothing else is asked of it
alive     the process itself still turns; never looks at a database, or one outage would restart every replica at once
ready     it can take work now: started, not draining, and every check passes
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

Check = Callable[[], Awaitable[None]]
"""Returns when all is well, raises when not. The exception's type is reported, never its text (it may hold a URL)."""


@dataclass(frozen=True, slots=True)
class Report:
    """The answer to one question: `parts` says "ok" or what is wrong, part by part."""

    ok: bool
    parts: Mapping[str, str] = field(default_factory=dict)

    @property
    def http_status(self) -> int:
        return 200 if self.ok else 503

    def body(self) -> dict[str, object]:
        return {"status": "ok" if self.ok else "unavailable", "parts": dict(self.parts)}


class Health:
    """The state of one process. `checks` are what readiness asks, each within `timeout` seconds."""

    def __init__(self, checks: Mapping[str, Check] | None = None, timeout: float = 2.0) -> None:
        self._checks, self._timeout = dict(checks or {}), timeout
        self._started = self._draining = False

    def started(self) -> None:
        """Call once everything is loaded and warm."""
        self._started = True

    def drain(self) -> None:
        """Call on SIGTERM: not ready from now on, alive until the last work is done."""
        self._draining = True

    def startup(self) -> Report:
        return Report(self._started, {"started": "ok" if self._started else "still loading"})

    def live(self) -> Report:
        return Report(True)

    async def ready(self) -> Report:
        """All checks side by side."""
        results = await asyncio.gather(*(self._ask(check) for check in self._checks.values()))
        parts = {"started": "ok" if self._started else "still loading"}
        parts["draining"] = "ok" if not self._draining else "shutting down"
        parts.update(zip(self._checks, results, strict=True))
        return Report(all(part == "ok" for part in parts.values()), parts)

    async def _ask(self, check: Check) -> str:
        try:
            await asyncio.wait_for(check(), self._timeout)
        except TimeoutError:
            return f"no answer in {self._timeout:g} s"
        except Exception as error:
            return type(error).__name__
        return "ok"
