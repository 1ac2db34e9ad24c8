"""Limits attempts per key, such as an address or a login, in bounded memory; counted per process."""

from __future__ import annotations

import math
import time
from collections import OrderedDict
from collections.abc import Callable
from ipaddress import IPv6Address, ip_address

WINDOW_SECONDS = 900.0  # attempts are counted per window
MAX_PER_ADDRESS = 10  # attempts at the set-up code per window and address; an IPv6 /64 counts as one address
MAX_TOTAL = 100  # attempts at the set-up code per window from all addresses
MAX_KEYS = 1000  # keys kept; beyond, the least recent one is dropped and the total still applies


class Attempts:
    """Counts attempts before they are decided, so that concurrent ones cannot exceed the limits; 0 means no limit."""

    def __init__(
        self,
        clock: Callable[[], float] = time.monotonic,
        *,
        per_key: int = MAX_PER_ADDRESS,
        total: int = MAX_TOTAL,
        keys: int = MAX_KEYS,
    ) -> None:
        self._clock = clock
        self._per_key, self._max_total, self._max_keys = per_key, total, keys
        self._window_start = -math.inf
        self._total = 0
        self._by_key: OrderedDict[str, int] = OrderedDict()

    def register(self, key: str) -> int:
        """Count an attempt. Returns 0 if the attempt may proceed, else the whole seconds to wait."""
        now = self._clock()
        if now - self._window_start >= WINDOW_SECONDS:
            self._window_start, self._total = now, 0
            self._by_key.clear()
        count = self._by_key.get(key, 0)
        if (self._max_total and self._total >= self._max_total) or (self._per_key and count >= self._per_key):
            return math.ceil(self._window_start + WINDOW_SECONDS - now)
        self._total += 1
        self._by_key[key] = count + 1
        self._by_key.move_to_end(key)
        while len(self._by_key) > self._max_keys:
            self._by_key.popitem(last=False)
        return 0


def network_of(client: str) -> str:
    """The key of an address: the IPv4 address, or the /64 network of an IPv6 address, since one customer owns it."""
    try:
        address = ip_address(client)
    except ValueError:
        return ""
    if isinstance(address, IPv6Address):
        mapped = address.ipv4_mapped
        return str(mapped) if mapped else f"{int(address) >> 64:x}"
    return str(address)
