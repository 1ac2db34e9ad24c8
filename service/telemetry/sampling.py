"""Samples values for metrics from a timer, not during a call or a scrape.

A scrape must succeed when the database or the queue does not answer, so it never queries them. A `SamplerRunner` does,
each sampler in its own task with a time limit; after a failure the metrics keep their last value.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from cryptography import x509

from inkgate.service.background import Background
from inkgate.service.telemetry.metrics import Metrics

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Sampler:
    """`read` is awaited every `every` seconds, each time for at most `timeout`; it may raise."""

    name: str
    read: Callable[[], Awaitable[None]]
    every: float
    timeout: float = 5.0


class SamplerRunner:
    """Runs samplers from `start` to `close`."""

    def __init__(self, samplers: Sequence[Sampler], background: Background | None = None) -> None:
        background = background or Background()
        self._tasks = [background.task(f"sampler-{item.name}", partial(self._run, item)) for item in samplers]

    async def start(self) -> None:
        """Start the samplers; each reads for the first time at once, in the background."""
        for task in self._tasks:
            task.start()

    async def close(self) -> None:
        await asyncio.gather(*(task.close() for task in self._tasks))

    async def _run(self, sampler: Sampler) -> None:
        failing = False
        while True:
            try:
                await asyncio.wait_for(sampler.read(), sampler.timeout)
                failing = False
            except Exception as error:  # a sampler must not end because one reading failed
                if not failing:  # log once, not every interval
                    log.warning("cannot sample", extra={"sampler": sampler.name, "error": type(error).__name__})
                failing = True
            await asyncio.sleep(sampler.every)


def certificate_sampler(metrics: Metrics, files: Sequence[Path], every: float = 3600.0) -> Sampler:
    """Samples the expiry of each PEM file's first certificate; an unreadable one is reported as expired (0)."""

    def read_all() -> None:
        for file in files:
            try:
                ends = x509.load_pem_x509_certificate(file.read_bytes()).not_valid_after_utc.timestamp()
            except (OSError, ValueError) as error:
                log.warning("cannot read certificate", extra={"file": str(file), "error": type(error).__name__})
                ends = 0.0
            metrics.certificate(str(file), ends)

    async def read() -> None:
        await asyncio.to_thread(read_all)

    return Sampler("certificates", read, every)
