"""Which cores the workers of one supervisor use at present, in memory that they share.

Each worker process has a cell: the number of cores that it uses, for images in hand and borrowed. A worker writes its
own cell only and reads all of them, so there is no lock between processes. Two workers that borrow the same idle core
at the same moment both see one core too many in use afterwards, and give it back after the line in hand.

A cell is held by a lock of the file, which the kernel releases when the process ends, however it ends. The next
process to hold the cell clears it; until then cores of the ended one may count as used.
"""

from __future__ import annotations

import fcntl
import mmap
import os
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager

_CELLS = 1024  # one byte for each worker process of a supervisor; more processes than this do not lend cores
_MOST_BORROWED = 128  # by one process; with its images in hand (at most 64) less than a byte holds


def open_shared_cells() -> int:
    """A file descriptor of cells for `Cores`, to be inherited by the workers of one supervisor. Raises OSError."""
    if hasattr(os, "memfd_create"):
        fd = os.memfd_create("inkgate-cores")
    else:
        with tempfile.TemporaryFile() as file:
            fd = os.dup(file.fileno())
    os.truncate(fd, _CELLS)
    return fd


class Cores:
    """The `inkgate.engines.interfaces.IdleCores` of a worker process. Thread-safe.

    `total` is the number of cores that all workers of the supervisor use together at most.
    """

    def __init__(self, total: int, most: int, cells: mmap.mmap | bytearray, own: int) -> None:
        self._total = total
        self.most = most
        self._cells, self._own = cells, own
        self._borrowed = 0
        self._lock = threading.Lock()

    @classmethod
    def alone(cls, total: int, page_cores: int) -> Cores:
        """For a process without others beside it."""
        return cls(total, min(page_cores, total) - 1, bytearray(1), 0)

    @classmethod
    def shared(cls, fd: int, total: int, page_cores: int) -> Cores:
        """For a worker process that has inherited `fd` from `open_shared_cells`; the process keeps it open."""
        own = _hold_free_cell(fd)
        if own is None:
            return cls.alone(1, 1)
        cells = mmap.mmap(fd, _CELLS)
        cells[own] = 0
        return cls(total, min(page_cores, total) - 1, cells, own)

    @contextmanager
    def in_use(self) -> Iterator[None]:
        """Count one core as used while an image is in hand; borrowers of other workers make room for it."""
        with self._lock:
            self._cells[self._own] += 1
        try:
            yield
        finally:
            with self._lock:
                self._cells[self._own] -= 1

    @property
    def needed(self) -> bool:
        return self._used() > self._total

    def borrow(self, wanted: int) -> int:
        with self._lock:
            lent = max(0, min(wanted, self._total - self._used(), _MOST_BORROWED - self._borrowed))
            self._borrowed += lent
            self._cells[self._own] += lent
        return lent

    def give_back(self, count: int) -> None:
        with self._lock:
            self._borrowed -= count
            self._cells[self._own] -= count

    def _used(self) -> int:
        return sum(self._cells[:])


def _hold_free_cell(fd: int) -> int | None:
    """Lock a cell for the life of this process; None when all are held."""
    for at in range(_CELLS):
        try:
            fcntl.lockf(fd, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, at)
        except OSError:
            continue
        return at
    return None
