"""A gateway whose stacks are sampled while it uses CPU: `python -m benchmarks.gateway.sampler FILE gateway --port …`.

From SIGUSR1 on, the kernel's CPU timer (SIGPROF) interrupts the process every SAMPLE_SECONDS of its CPU time; the
handler counts the stack of the main thread. Time in C is counted for the Python function that called it. At the end
FILE has, as JSON, the number of samples, and per function those in which it ran itself and those in which it was on the
stack.
"""

from __future__ import annotations

import atexit
import json
import signal
import sys
from collections import Counter
from pathlib import Path
from types import FrameType
from typing import Any

SAMPLE_SECONDS = 0.002  # CPU seconds between samples
TOP = 60  # functions reported of each list


class Sampler:
    """Counts stacks from SIGUSR1, after `start`, to `write`."""

    def __init__(self) -> None:
        self.samples = 0
        self._own, self._cumulative = Counter[str](), Counter[str]()

    def start(self) -> None:
        signal.signal(signal.SIGPROF, self._sample)
        signal.siginterrupt(signal.SIGPROF, False)
        signal.signal(signal.SIGUSR1, self._begin)

    def _begin(self, number: int, frame: FrameType | None) -> None:
        signal.setitimer(signal.ITIMER_PROF, SAMPLE_SECONDS, SAMPLE_SECONDS)

    def _sample(self, number: int, frame: FrameType | None) -> None:
        self.samples += 1
        seen = set[str]()
        while frame is not None:
            name = _name(frame)
            if not seen:
                self._own[name] += 1
            seen.add(name)
            frame = frame.f_back
        self._cumulative.update(seen)

    def report(self) -> dict[str, Any]:
        """Percent of the samples per function."""
        return {
            "samples": self.samples,
            "own_percent": self._percent(self._own),
            "cumulative_percent": self._percent(self._cumulative),
        }

    def _percent(self, counts: Counter[str]) -> dict[str, float]:
        return {name: round(100 * count / max(1, self.samples), 2) for name, count in counts.most_common(TOP)}

    def write(self, path: Path) -> None:
        signal.setitimer(signal.ITIMER_PROF, 0)
        path.write_text(json.dumps(self.report(), indent=1) + "\n", encoding="utf-8")


def _name(frame: FrameType) -> str:
    """`file:function`, the file with its last two folders."""
    parts = Path(frame.f_code.co_filename).parts[-3:]
    return f"{'/'.join(parts)}:{frame.f_code.co_qualname}"


def main() -> None:
    from inkgate.service.cli import main as serve

    path = Path(sys.argv.pop(1))
    sampler = Sampler()
    atexit.register(sampler.write, path)
    sampler.start()
    serve()


if __name__ == "__main__":
    main()
