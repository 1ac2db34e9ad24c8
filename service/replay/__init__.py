"""Charged answers until delivery: stored, and deleted once delivered (CONTRACT D3, docs/adr/0004-replay.md).

`MemoryReplayStore` stores them in this process (the embedded default), `RedisReplayStore` for all gateways,
`NoReplayStore` not at all.
"""

from inkgate.service.replay.interface import KeptAnswer, ReplayStore, replay_key
from inkgate.service.replay.memory import MemoryReplayStore
from inkgate.service.replay.none import NoReplayStore
from inkgate.service.replay.shared import RedisReplayStore

__all__ = ["KeptAnswer", "MemoryReplayStore", "NoReplayStore", "RedisReplayStore", "ReplayStore", "replay_key"]
