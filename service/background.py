"""Supervision of long-lived tasks and threads: a task that ends is restarted and reported.

    background = Background(metrics)                      # one a process
    listener = background.task("reply-listener", listen, essential=True)
    listener.start()
    ...
    await listener.close()

A task that raises, or returns before `close` or `expect_exit`, has failed: the cause is logged, the task is restarted
with exponential back-off, and `check` (for readiness) raises while an essential task is down. A task counts as up again
after UP_AFTER_SECONDS, so that one that fails immediately each time is never reported as up.

No other module starts a task or thread that lives as long as its process (checked by a test).
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Iterator
from typing import Protocol

log = logging.getLogger(__name__)

MIN_BACKOFF_SECONDS = 0.1
MAX_BACKOFF_SECONDS = 10.0
UP_AFTER_SECONDS = 1.0
BACKOFF_RESET_SECONDS = 30.0
"""After this run time a failure resets the back-off."""

_MAX_DOUBLINGS = 32  # a power of some thousand is no float
_CANCEL_AGAIN_SECONDS = 2.0  # long enough for a cancelled task to give its database connection back


def backoff_seconds(failures: int, least: float, most: float) -> float:
    """The wait after `failures` in a row: `least` after the first, doubled by each further one, at most `most`."""
    return min(most, least * 2.0 ** min(failures - 1, _MAX_DOUBLINGS))


class TaskDown(Exception):
    """An essential background task has failed and is about to be restarted."""


class Observer(Protocol):
    """Receives the state of tasks by name, in the task's thread. Its exceptions are logged and suppressed."""

    def background_up(self, task: str, up: bool) -> None: ...

    def background_restarted(self, task: str) -> None: ...


class Background:
    """The long-lived tasks and threads of one process."""

    def __init__(self, observer: Observer | None = None) -> None:
        self._observer = observer
        self._down: set[str] = set()

    def task(self, name: str, run: Callable[[], Awaitable[None]], *, essential: bool = False) -> BackgroundTask:
        """A task of the running event loop, not started. `name` is a metric label: a fixed word, optionally with a
        slot number."""
        return BackgroundTask(run, _TaskState(self, name, essential))

    def thread(self, name: str, run: Callable[[], None], *, essential: bool = False) -> BackgroundThread:
        """A daemon thread, not started. After `expect_exit` the caller must make `run` return."""
        return BackgroundThread(run, _TaskState(self, name, essential))

    async def check(self) -> None:
        """Readiness check. Raises TaskDown while an essential task is down."""
        if self._down:
            raise TaskDown(", ".join(sorted(self._down)))

    def report(self, name: str, essential: bool, up: bool, restarted: bool = False) -> None:
        """Record the state of a task and pass it to the observer."""
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


class _TaskState:
    """The state of one task: its failures, back-off and reports."""

    def __init__(self, background: Background, name: str, essential: bool) -> None:
        self.name, self._background, self._essential = name, background, essential
        self._failures, self._begun, self.up = 0, 0.0, True

    def begin(self) -> None:
        self._begun = time.monotonic()

    def started(self) -> None:
        self._background.report(self.name, self._essential, True)

    def settled(self) -> None:
        """Called after UP_AFTER_SECONDS of running: the task is up again."""
        if not self.up:
            self.up = True
            log.info("background task is up again", extra={"task": self.name})
            self._background.report(self.name, self._essential, True)

    def failed(self, cause: BaseException | None) -> float:
        """Log and report a failure (None: the task returned); returns the seconds to wait before the restart."""
        if time.monotonic() - self._begun > BACKOFF_RESET_SECONDS:
            self._failures = 0
        self._failures += 1
        pause = backoff_seconds(self._failures, MIN_BACKOFF_SECONDS, MAX_BACKOFF_SECONDS)
        self.up = False
        facts = {"task": self.name, "cause": "returned" if cause is None else type(cause).__name__, "pause": pause}
        log.error("background task failed and starts again", exc_info=cause, extra=facts)
        self._background.report(self.name, self._essential, False, restarted=True)
        return pause


class BackgroundTask:
    """One asyncio task from `start` to `close`. Made by `Background.task`."""

    def __init__(self, run: Callable[[], Awaitable[None]], state: _TaskState) -> None:
        self._run, self._state = run, state
        self._ending = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._task = asyncio.create_task(self._supervise(), name=self._state.name)

    def expect_exit(self) -> None:
        """From now on a return is no failure, and a failed task is not restarted."""
        self._ending.set()

    async def wait(self, seconds: float | None = None) -> bool:
        """After `expect_exit`: wait at most `seconds` for the end of the task; True when it has ended."""
        if self._task is None:
            return True
        _, running = await asyncio.wait({self._task}, timeout=seconds)
        return not running

    async def close(self) -> None:
        """Cancel the task and wait until it has ended."""
        self.expect_exit()
        while self._task is not None and not self._task.done():
            self._task.cancel()  # repeated: libraries may swallow a cancellation
            await asyncio.wait({self._task}, timeout=_CANCEL_AGAIN_SECONDS)

    async def _supervise(self) -> None:
        self._state.started()
        while not self._ending.is_set():
            cause = await self._run_once()
            if self._ending.is_set():
                if cause is not None:
                    log.warning("background task failed at its end", exc_info=cause, extra={"task": self._state.name})
                break
            pause = self._state.failed(cause)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._ending.wait(), pause)

    async def _run_once(self) -> BaseException | None:
        """Run the task once; returns the exception, None when it returned."""
        self._state.begin()
        settled = asyncio.get_running_loop().call_later(UP_AFTER_SECONDS, self._state.settled)
        try:
            await self._run()
        except asyncio.CancelledError as error:
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise
            return error  # this task was not cancelled, but something that it awaited
        except Exception as error:
            return error
        finally:
            settled.cancel()
        return None


class Rounds(ABC):
    """A round at once and then one every `pause_seconds`, from `start` to `close`, in a task called `name`. Every
    gateway runs them, so each step of a round is a short transaction that continues where another gateway stopped."""

    def __init__(self, name: str, pause_seconds: float, background: Background | None = None) -> None:
        self._pause_seconds = pause_seconds
        self._task = (background or Background()).task(name, self._run)

    async def start(self) -> None:
        """Start the background task; its first round starts immediately."""
        self._task.start()

    async def close(self) -> None:
        """Cancel the task; a round may be interrupted at any statement."""
        await self._task.close()

    @abstractmethod
    async def try_round(self) -> None:
        """Run one round. Logs the errors that the next round may get over; any other restarts the task."""

    async def _run(self) -> None:
        while True:
            await self.try_round()
            await asyncio.sleep(self._pause_seconds)


class BackgroundThread:
    """One daemon thread from `start` to `join`. Made by `Background.thread`."""

    def __init__(self, run: Callable[[], None], state: _TaskState) -> None:
        self._run, self._state = run, state
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._supervise, name=state.name, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def expect_exit(self) -> None:
        """From now on a return is no failure, and a failed thread is not restarted."""
        self._ending.set()

    def join(self, seconds: float) -> None:
        """After `expect_exit`: wait at most `seconds` for the end of the thread."""
        self._thread.join(seconds)

    def _supervise(self) -> None:
        self._state.started()
        while not self._ending.is_set():
            cause: Exception | None = None
            self._state.begin()
            with self._settling():
                try:
                    self._run()
                except Exception as error:
                    cause = error
            if self._ending.is_set():
                break
            self._ending.wait(self._state.failed(cause))

    @contextlib.contextmanager
    def _settling(self) -> Iterator[None]:
        """Start the timer of `settled`, only after a failure, since a timer is a thread."""
        if self._state.up:
            yield
            return
        timer = threading.Timer(UP_AFTER_SECONDS, self._state.settled)
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()
