"""Requests per second of each (app, capability): a token bucket (CONTRACT D6, M10).

`LocalLimiter` counts in this process (the embedded default); `RedisLimiter` counts for all gateways together, and
counts locally while Redis does not answer in time: an outage of Redis must not stop the service.
"""

from inkgate.service.ratelimit.local import LocalLimiter
from inkgate.service.ratelimit.shared import RedisLimiter

__all__ = ["LocalLimiter", "RedisLimiter"]
