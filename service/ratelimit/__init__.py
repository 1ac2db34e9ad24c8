<<<<<<< HEAD
"""Requests per second of each (app, capability): a token bucket (CONTRACT D6, M10).

`LocalLimiter` counts in this process (the embedded default); `RedisLimiter` counts for all gateways together, and falls
back to counting locally when Redis does not answer at once: the limiter protects the service, it never stops it.
"""

from service.ratelimit.local import LocalLimiter
from service.ratelimit.shared import RedisLimiter

__all__ = ["LocalLimiter", "RedisLimiter"]
=======
"""Requests per second, per app and capability (CONTRACT D6). Fails open: a limiter that is down limits nobody."""

from service.ratelimit.memory import MemoryLimiter

__all__ = ["MemoryLimiter"]
>>>>>>> dcf60a0 (The embedded service: serve, sandbox, demo, ocr, sign, doctor; commands are imported when asked for)
