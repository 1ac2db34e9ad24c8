"""Long-lived tasks and threads: whatever ends one of them, it is started again, and somebody hears of it.

    background = Background(metrics)                      # one a process
    listener = background.task("reply-listener", listen, essential=True)
    listener.start()
    ...
    await listener.close()

A task that raises, or returns without having been told to end, has failed: the cause is logged, the task is started
again after a pause that doubles up to a cap, and `check` (for readiness) raises while an essential one is down. A task
counts as up again once it has run for SETTLED_SECONDS, so that one that fails at once each time is never seen up.

No other module starts a task or thread that is meant to live as long as its process (a test holds to that).
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from typing import Protocol

log = logging.getLogger(__name__)

FIRST_PAUSE_SECONDS = 0.1
LONGEST_PAUSE_SECONDS = 10.0
SETTLED_SECONDS = 1.0
HEALTHY_SECONDS = 30.0
"""A task that has run for so long begins with the first pause again when it fails."""

_CANCEL_AGAIN_SECONDS = 2.0  # long enough for a cancelled task to give its database connection back


class TaskDown(Exception):
    """An essential background task has failed and is about to be started again."""


class Observer(Protocol):
    """Hears of tasks by name; called from the task's own thread. What it raises is logged and goes no further."""

    def background_up(self, task: str, up: bool) -> None: ...

    def background_restarted(self, task: str) -> None: ...


class Background:
    """The long-lived tasks and threads of one process."""

    def __init__(self, observer: Observer | None = None) -> None:
        self._observer = observer
        self._down: set[str] = set()

    def task(self, name: str, run: Callable[[], Awaitable[None]], *, essential: bool = False) -> BackgroundTask:
        """A task of the running loop, not started yet. `name` is a metric's label: a fixed word, and a slot at most."""
        return BackgroundTask(run, _Watched(self, name, essential))

    def thread(self, name: str, run: Callable[[], None], *, essential: bool = False) -> BackgroundThread:
        """A daemon thread, not started yet. `run` has to return soon after the caller made it do so (see `ending`)."""
        return BackgroundThread(run, _Watched(self, name, essential))

    async def check(self) -> None:
        """For readiness: raises TaskDown while an essential task is down."""
        if self._down:
            raise TaskDown(", ".join(sorted(self._down)))

    def tell(self, name: str, essential: bool, up: bool, restarted: bool = False) -> None:
        """Note the state of a task, and pass it on."""
        if essential:
            (self._down.discard if up else self._down.add)(name)
        if self._observer is None:
            return
        try:
            self._observer.background_up(name, up)
            if restarted:
                self._observer.background_restarted(name)
        except Exception:
            log.exception("the state of a background task was not passed on")


class _Watched:
    """The failures of one task: how long to pause before the next start, and what to tell of it."""

    def __init__(self, background: Background, name: str, essential: bool) -> None:
        self.name, self._background, self._essential = name, background, essential
        self._failures, self._begun, self.up = 0, 0.0, True

    def begin(self) -> None:
        self._begun = time.monotonic()

    def started(self) -> None:
        self._background.tell(self.name, self._essential, True)

    def settled(self) -> None:
        """It has run for a while: it is up again."""
        if not self.up:
            self.up = True
            log.info("background task is up again", extra={"task": self.name})
            self._background.tell(self.name, self._essential, True)

    def failed(self, cause: BaseException | None) -> float:
        """Log and tell a failure (None: it returned); the seconds to wait before the next start."""
        if time.monotonic() - self._begun > HEALTHY_SECONDS:
            self._failures = 0
        pause = min(LONGEST_PAUSE_SECONDS, FIRST_PAUSE_SECONDS * 2.0 ** min(self._failures, 32))
        self._failures += 1
        self.up = False
        facts = {"task": self.name, "cause": "returned" if cause is None else type(cause).__name__, "pause": pause}
        log.error("background task failed and starts again", exc_info=cause, extra=facts)
        self._background.tell(self.name, self._essential, False, restarted=True)
        return pause


class BackgroundTask:
    """One asyncio task from `start` to `close`. Made by `Background.task`."""

    def __init__(self, run: Callable[[], Awaitable[None]], watched: _Watched) -> None:
        self._run, self._watched = run, watched
        self._ending = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._task = asyncio.create_task(self._supervise(), name=self._watched.name)

    def ending(self) -> None:
        """From now on returning is no failure, and a task that failed is not started again."""
        self._ending.set()

    async def wait(self, seconds: float | None = None) -> bool:
        """Wait for the end of a task that is `ending`, for `seconds` at most; whether it has ended."""
        if self._task is None:
            return True
        _, running = await asyncio.wait({self._task}, timeout=seconds)
        return not running

    async def close(self) -> None:
        """Cancel the task and wait until it has ended."""
        self.ending()
        while self._task is not None and not self._task.done():
            self._task.cancel()  # more than once: libraries swallow a cancellation that comes at a bad moment
            await asyncio.wait({self._task}, timeout=_CANCEL_AGAIN_SECONDS)

    async def _supervise(self) -> None:
        self._watched.started()
        while not self._ending.is_set():
            cause = await self._once()
            if self._ending.is_set():
                if cause is not None:
                    log.warning("background task failed at its end", exc_info=cause, extra={"task": self._watched.name})
                break
            pause = self._watched.failed(cause)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._ending.wait(), pause)

    async def _once(self) -> BaseException | None:
        """One life of the task; what ended it, None when it returned."""
        self._watched.begin()
        settled = asyncio.get_running_loop().call_later(SETTLED_SECONDS, self._watched.settled)
        try:
            await self._run()
        except asyncio.CancelledError as error:
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise
            return error  # nobody cancelled us: something that we awaited was
        except Exception as error:
            return error
        finally:
            settled.cancel()
        return None


class BackgroundThread:
    """One daemon thread from `start` to `join`. Made by `Background.thread`."""

    def __init__(self, run: Callable[[], None], watched: _Watched) -> None:
        self._run, self._watched = run, watched
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._supervise, name=watched.name, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def ending(self) -> None:
        """From now on returning is no failure, and a thread that failed is not started again."""
        self._ending.set()

    def join(self, seconds: float) -> None:
        """Wait for the end of a thread that is `ending`, for `seconds` at most."""
        self._thread.join(seconds)

    def _supervise(self) -> None:
        self._watched.started()
        while not self._ending.is_set():
            cause: Exception | None = None
            self._watched.begin()
            with self._settling():
                try:
                    self._run()
                except Exception as error:
                    cause = error
            if self._ending.is_set():
                break
            self._ending.wait(self._watched.failed(cause))

    @contextlib.contextmanager
    def _settling(self) -> Iterator[None]:
        """Only after a failure: a timer is a thread too."""
        if self._watched.up:
            yield
            return
        timer = threading.Timer(SETTLED_SECONDS, self._watched.settled)
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()
