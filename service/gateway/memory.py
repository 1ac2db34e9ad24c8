"""How the C library keeps the memory of large bodies."""

from __future__ import annotations

import ctypes
from functools import cache

LARGE_BODY = 8 * 1024 * 1024  # bytes; after one of these what is free is given back
_ARENA_MAX = -8  # M_ARENA_MAX of <malloc.h>
_ARENAS = 2  # as workers have them (inkgate.service.worker.process)


def share_arenas() -> bool:
    """Let the threads of this process share two malloc arenas from here on; whether the C library knows of that.

    glibc gives nearly every thread an arena of its own and keeps in each what large bodies were decoded into: after a
    few of them a gateway would hold the memory of as many as it has threads. Under one interpreter lock the threads do
    not wait for each other's arena.
    """
    library = _library()
    return library is not None and bool(library.mallopt(_ARENA_MAX, _ARENAS))


def give_back() -> None:
    """Return free memory to the system. Takes milliseconds, and the next large body as many to get it again."""
    library = _library()
    if library is not None:
        library.malloc_trim(0)


@cache
def _library() -> ctypes.CDLL | None:
    """The C library, None for one that has no such functions."""
    try:
        library = ctypes.CDLL(None)
    except OSError:
        return None
    return library if hasattr(library, "mallopt") and hasattr(library, "malloc_trim") else None
