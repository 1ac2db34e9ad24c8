"""Limits attempts at the set-up code, per address and in total, in bounded memory."""

from __future__ import annotations

import math
import time
from collections import OrderedDict
from collections.abc import Callable
from ipaddress import IPv6Address, ip_address

WINDOW_SECONDS = 900.0  # attempts are counted per window
MAX_PER_ADDRESS = 10  # attempts per window and address; an IPv6 /64 counts as one address
MAX_TOTAL = 100  # attempts per window from all addresses
MAX_ADDRESSES = 1000  # addresses kept; beyond, the least recent one is dropped and MAX_TOTAL still applies


class Attempts:
    """Counts attempts before the code is compared, so that concurrent attempts cannot exceed the limits."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._window_start = -math.inf
        self._total = 0
        self._by_address: OrderedDict[str, int] = OrderedDict()

    def register(self, client: str) -> int:
        """Count an attempt of a client address. Returns 0 if the attempt may proceed, else the seconds to wait."""
        now = self._clock()
        if now - self._window_start >= WINDOW_SECONDS:
            self._window_start, self._total = now, 0
            self._by_address.clear()
        source = _source(client)
        count = self._by_address.get(source, 0)
        if self._total >= MAX_TOTAL or count >= MAX_PER_ADDRESS:
            return math.ceil(self._window_start + WINDOW_SECONDS - now)
        self._total += 1
        self._by_address[source] = count + 1
        self._by_address.move_to_end(source)
        while len(self._by_address) > MAX_ADDRESSES:
            self._by_address.popitem(last=False)
        return 0


def _source(client: str) -> str:
    """The key that is counted: the IPv4 address, or the /64 network of an IPv6 address, since one customer owns it."""
    try:
        address = ip_address(client)
    except ValueError:
        return ""
    if isinstance(address, IPv6Address):
        mapped = address.ipv4_mapped
        return str(mapped) if mapped else f"{int(address) >> 64:x}"
    return str(address)
