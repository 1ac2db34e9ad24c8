"""Requests per second of each (app, capability): a token bucket (CONTRACT D6, M10).

`LocalLimiter` counts in this process (the embedded default); `RedisLimiter` counts for all gateways together, and falls
back to counting locally when Redis does not answer at once: the limiter protects the service, it never stops it.
"""

from inkgate.service.ratelimit.local import LocalLimiter
from inkgate.service.ratelimit.shared import RedisLimiter

__all__ = ["LocalLimiter", "RedisLimiter"]
