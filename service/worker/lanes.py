"""Several pull loops of one process, a thread each, over one reader."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait

from inkgate.service.worker.loop import PullLoop


def run_lanes(loops: Sequence[PullLoop], stop: threading.Event) -> str:
    """Run all until one leaves, let the others finish what they have in hand; the reason why the first one left.

    Raises what the first one raised. A single loop runs in the calling thread.
    """
    if len(loops) == 1:
        return loops[0].run()
    with ThreadPoolExecutor(len(loops), "lane") as threads:
        lanes = [threads.submit(loop.run) for loop in loops]
        done, _ = wait(lanes, return_when=FIRST_COMPLETED)
        stop.set()
    return next(iter(done)).result()
