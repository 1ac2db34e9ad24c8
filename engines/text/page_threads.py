"""The lines of one page on several threads while cores are idle, with the results of one thread.

A page is read on the thread of its caller. Before each line that thread borrows idle cores and starts a
helper on each. A helper reads line after line and leaves as soon as others need its core, so a busy machine gets it
back after one line. Networks release the interpreter lock while they run.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import Generic, TypeVar

from inkgate.engines.interfaces import IdleCores

Result = TypeVar("Result")


class PageThreads:
    """Runs the parts of a page in order. Threads may share it, each for a page of its own."""

    def __init__(self, cores: IdleCores | None = None) -> None:
        """Without `cores` everything runs on the calling thread."""
        self._cores = cores if cores is not None and cores.most > 0 else None
        self._pool = ThreadPoolExecutor(self._cores.most, "page") if self._cores is not None else None

    def in_order(self, work: Callable[[int], Result], count: int) -> Iterator[Result]:
        """`work(0)` to `work(count - 1)`, in order. Raises what `work` raises, at its place.

        On the calling thread alone each part is run when its result is asked for. With helpers later parts may have
        been run before, and parts behind an error as well. Helpers have ended when the iterator has.
        """
        if self._cores is None or self._pool is None or count < 2:
            for at in range(count):
                yield work(at)
            return
        page = _Page(work, count, self._cores, self._pool)
        try:
            yield from page.results()
        finally:
            page.end()


class _Page(Generic[Result]):
    """The parts of one page: which are taken, and the results not yet asked for."""

    def __init__(self, work: Callable[[int], Result], count: int, cores: IdleCores, pool: ThreadPoolExecutor) -> None:
        self._work, self._count, self._cores, self._pool = work, count, cores, pool
        self._changed = threading.Condition()
        self._next = 0  # the first part that no thread has taken
        self._results: dict[int, Result] = {}
        self._errors: dict[int, Exception] = {}
        self._helpers: list[Future[None]] = []

    def results(self) -> Iterator[Result]:
        for at in range(self._count):
            while at not in self._results and at not in self._errors:
                self._start_helpers()
                taken = self._take()
                if taken is not None:
                    self._run(taken)
                    continue
                with self._changed:  # a helper has it
                    self._changed.wait_for(lambda at=at: at in self._results or at in self._errors)  # type: ignore[misc]
            if at in self._errors:
                raise self._errors.pop(at)
            yield self._results.pop(at)

    def end(self) -> None:
        """Take no more parts and wait for those in progress."""
        with self._changed:
            self._next = self._count
        wait(self._helpers)

    def _start_helpers(self) -> None:
        """One helper for each idle core, as far as there are parts besides the one that this thread takes next."""
        self._helpers = [helper for helper in self._helpers if not helper.done()]
        wanted = min(self._count - self._next - 1, self._cores.most - len(self._helpers))
        lent = self._cores.borrow(wanted) if wanted > 0 else 0
        for started in range(lent):
            try:
                self._helpers.append(self._pool.submit(self._help))
            except BaseException:  # no thread could be started
                self._cores.give_back(lent - started)
                raise

    def _help(self) -> None:
        try:
            while not self._cores.needed and (taken := self._take()) is not None:
                self._run(taken)
        finally:
            self._cores.give_back(1)

    def _take(self) -> int | None:
        with self._changed:
            if self._next >= self._count:
                return None
            self._next += 1
            return self._next - 1

    def _run(self, at: int) -> None:
        try:
            result = self._work(at)
        except Exception as error:
            with self._changed:
                self._errors[at] = error
                self._changed.notify_all()
            return
        with self._changed:
            self._results[at] = result
            self._changed.notify_all()
