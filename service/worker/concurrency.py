"""Runs several pull loops of one process, one thread each, over one reader."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait

from inkgate.service.worker.loop import PullLoop


def run_loops(loops: Sequence[PullLoop], stop: threading.Event) -> str:
    """Run all loops until the first one ends, then let the others finish their current image. Returns the reason of
    the first one (see `PullLoop.run`), or raises its exception. A single loop runs in the calling thread.
    """
    if len(loops) == 1:
        return loops[0].run()
    with ThreadPoolExecutor(len(loops), "pull-loop") as threads:
        running = [threads.submit(loop.run) for loop in loops]
        done, _ = wait(running, return_when=FIRST_COMPLETED)
        stop.set()
    return next(iter(done)).result()
