"""Control of glibc's malloc, which otherwise keeps the memory of large bodies, and of the garbage collector."""

from __future__ import annotations

import ctypes
import gc
from functools import cache

LARGE_BODY_BYTES = 8 * 1024 * 1024  # after a body of this size free memory is returned to the system
_ARENA_MAX = -8  # M_ARENA_MAX of <malloc.h>
_ARENAS = 2  # the same as in workers (inkgate.service.worker.process)


def limit_malloc_arenas() -> bool:
    """Limit this process to two malloc arenas; False if the C library does not support it.

    glibc creates an arena for nearly every thread and keeps freed memory in each: after a few large bodies a gateway
    would hold the memory of one per thread. Under the global interpreter lock the threads do not contend for arenas.
    """
    library = _library()
    return library is not None and bool(library.mallopt(_ARENA_MAX, _ARENAS))


def trim_heap() -> None:
    """Return free heap memory to the system. Takes milliseconds; the next large body takes as long to allocate it."""
    library = _library()
    if library is not None:
        library.malloc_trim(0)


def freeze_startup_objects() -> None:
    """Exempt all objects that exist now from garbage collection. To be called once, when the start is complete.

    They are hundreds of thousands (modules, classes, routes), and a full collection looks at each: a tenth of a second
    in which no call is answered, and eight percent of a busy gateway's CPU time.
    """
    gc.collect()
    gc.freeze()


@cache
def _library() -> ctypes.CDLL | None:
    """The C library, None if it lacks mallopt or malloc_trim."""
    try:
        library = ctypes.CDLL(None)
    except OSError:
        return None
    return library if hasattr(library, "mallopt") and hasattr(library, "malloc_trim") else None
