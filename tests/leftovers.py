"""What a process still holds after it should have released everything."""

from __future__ import annotations

import asyncio
import gc
import signal
import threading
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import psutil

_END_SECONDS = 10.0  # threads of a pool and transports end a moment after they were asked to
_IDLE_THREADS = "asyncio_"  # the loop's own pool for asyncio.to_thread, which lives as long as the loop


def held() -> Counter[str]:
    """Tasks, threads, open file descriptors, child processes and signal handlers of this process, by description."""
    found = Counter[str]()
    others = asyncio.all_tasks() - {asyncio.current_task()}
    found.update(f"task {task.get_name()} {getattr(task.get_coro(), '__qualname__', '')}" for task in others)
    found.update(f"thread {each.name}" for each in threading.enumerate() if not each.name.startswith(_IDLE_THREADS))
    for descriptor in Path("/proc/self/fd").iterdir():
        with suppress(OSError):  # the one that lists the folder
            found[f"descriptor {descriptor.readlink()}"] += 1
    found.update(f"child {child.pid}" for child in psutil.Process().children(recursive=True))
    found.update(f"handler {number.name} {signal.getsignal(number)}" for number in (signal.SIGTERM, signal.SIGINT))
    return found


@asynccontextmanager
async def nothing_left() -> AsyncIterator[None]:
    """Fails when the block leaves behind what it did not find."""
    before = held()
    yield
    deadline = time.monotonic() + _END_SECONDS
    while (left := held() - before) and time.monotonic() < deadline:
        gc.unfreeze()  # of a task that was in the middle of a round when the service froze what its start had made
        gc.collect()  # SQLite closes a file whose opening was cancelled when the connection is collected
        gc.freeze()
        await asyncio.sleep(0.02)
    assert not left, str(left)
