"""Paid answers on their way to the client: kept, and dropped once delivered (CONTRACT D3, docs/adr/0004-replay.md).

`MemoryReplayStore` keeps them in this process (the embedded default), `RedisReplayStore` for all gateways together.
"""

from inkgate.service.replay.interface import KeptAnswer, ReplayStore, replay_key
from inkgate.service.replay.memory import MemoryReplayStore
from inkgate.service.replay.shared import RedisReplayStore

__all__ = ["KeptAnswer", "MemoryReplayStore", "RedisReplayStore", "ReplayStore", "replay_key"]
