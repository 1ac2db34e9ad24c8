"""How often somebody may guess the set-up code: counted by address and in all, in memory that does not grow."""

from __future__ import annotations

import math
import time
from collections import OrderedDict
from collections.abc import Callable
from ipaddress import IPv6Address, ip_address

SPAN = 900.0  # seconds in which attempts are counted together
BY_ADDRESS = 10  # attempts in a span from one address, an IPv6 /64 being one
IN_ALL = 100  # attempts in a span from all addresses
ADDRESSES = 1000  # addresses remembered; beyond, the one seen longest ago is forgotten, and the bound in all holds


class Attempts:
    """Counts attempts before they are judged, so that many at once cannot pass the bounds together."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._begun = -math.inf
        self._in_all = 0
        self._by_address: OrderedDict[str, int] = OrderedDict()

    def wait(self, client: str) -> int:
        """Count an attempt by an address, the client's where trusted proxies stand in between: 0 when it may be judged,
        else the seconds until the next one may."""
        now = self._clock()
        if now - self._begun >= SPAN:
            self._begun, self._in_all = now, 0
            self._by_address.clear()
        source = _source(client)
        count = self._by_address.get(source, 0)
        if self._in_all >= IN_ALL or count >= BY_ADDRESS:
            return math.ceil(self._begun + SPAN - now)
        self._in_all += 1
        self._by_address[source] = count + 1
        self._by_address.move_to_end(source)
        while len(self._by_address) > ADDRESSES:
            self._by_address.popitem(last=False)
        return 0


def _source(client: str) -> str:
    """The address that is counted: an IPv6 network of 64 bits is one customer's."""
    try:
        address = ip_address(client)
    except ValueError:
        return ""
    if isinstance(address, IPv6Address):
        mapped = address.ipv4_mapped
        return str(mapped) if mapped else f"{int(address) >> 64:x}"
    return str(address)
