"""The store of an installation that keeps no answers: a repeated request is a new call, read and charged again."""

from __future__ import annotations

from inkgate.service.replay.interface import KeptAnswer


class NoReplayStore:
    """`ReplayStore` that stores nothing."""

    async def keep(self, key: str, answer: KeptAnswer) -> KeptAnswer:
        return answer

    async def find(self, key: str) -> KeptAnswer | None:
        return None

    async def discard(self, key: str, call_id: str) -> None: ...
