"""Health: three separate probes.

startup   the process has finished loading; the other probes apply only afterwards
live      the process runs; never checks a database, or one outage would restart every replica at once
ready     the process accepts work: started, not draining, and every check passes
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

Check = Callable[[], Awaitable[None]]
"""Returns on success, raises on failure. Only the type of the exception is reported: its text may contain a URL."""


@dataclass(frozen=True, slots=True)
class Report:
    """The result of one probe. `parts`: name of the check -> "ok" or the problem."""

    ok: bool
    parts: Mapping[str, str] = field(default_factory=dict)

    @property
    def http_status(self) -> int:
        return 200 if self.ok else 503

    def body(self) -> dict[str, object]:
        return {"status": "ok" if self.ok else "unavailable", "parts": dict(self.parts)}


class Health:
    """The health of one process. `checks` are the readiness checks, each limited to `timeout` seconds."""

    def __init__(self, checks: Mapping[str, Check] | None = None, timeout: float = 2.0) -> None:
        self._checks, self._timeout = dict(checks or {}), timeout
        self._started = self._draining = False

    def mark_started(self) -> None:
        """To be called once everything is loaded and warm."""
        self._started = True

    def mark_draining(self) -> None:
        """To be called on SIGTERM: not ready from now on, live until all work has finished."""
        self._draining = True

    def startup(self) -> Report:
        return Report(self._started, {"started": "ok" if self._started else "still loading"})

    def live(self) -> Report:
        return Report(True)

    async def ready(self) -> Report:
        """Run all checks concurrently."""
        results = await asyncio.gather(*(self._run_check(check) for check in self._checks.values()))
        parts = {"started": "ok" if self._started else "still loading"}
        parts["draining"] = "ok" if not self._draining else "shutting down"
        parts.update(zip(self._checks, results, strict=True))
        return Report(all(part == "ok" for part in parts.values()), parts)

    async def _run_check(self, check: Check) -> str:
        try:
            await asyncio.wait_for(check(), self._timeout)
        except TimeoutError:
            return f"no answer in {self._timeout:g} s"
        except Exception as error:
            return type(error).__name__
        return "ok"
