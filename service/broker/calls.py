"""Calls waiting for replies. Each reply is matched to its task once; duplicates and late replies are dropped."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from inkgate.service.broker.interface import Outcome, Reply, Task
from inkgate.service.errors import DeadlineMissed


class PendingCall:
    """The tasks of one call and the replies received so far."""

    __slots__ = ("_done", "_replies", "call_id", "tasks")

    def __init__(self, tasks: Sequence[Task]) -> None:
        self.call_id = tasks[0].call_id
        self.tasks = {task.number: task for task in tasks}
        self._replies: dict[int, Reply] = {}
        self._done = asyncio.get_running_loop().create_future()

    @property
    def unanswered(self) -> list[Task]:
        return [task for number, task in self.tasks.items() if number not in self._replies]

    def is_waiting_for(self, number: int) -> bool:
        return not self._done.done() and number in self.tasks and number not in self._replies

    def add_reply(self, reply: Reply) -> bool:
        """Keep the first reply to each task; False if the reply is not (or no longer) awaited."""
        if not self.is_waiting_for(reply.number):
            return False
        if reply.outcome is Outcome.EXPIRED:
            self._done.set_exception(DeadlineMissed(f"call {reply.call_id} expired in the queue"))
            return True
        self._replies[reply.number] = reply
        if len(self._replies) == len(self.tasks):
            self._done.set_result(None)
        return True

    async def replies(self, deadline: float, now: float) -> list[Reply]:
        """All replies in the order of the tasks. Raises DeadlineMissed when some are missing at the deadline."""
        timer = asyncio.get_running_loop().call_later(max(0.0, deadline - now), self._expire)
        try:
            await self._done
        finally:
            timer.cancel()
        return [self._replies[number] for number in self.tasks]

    def _expire(self) -> None:
        if not self._done.done():
            missing = len(self.tasks) - len(self._replies)
            self._done.set_exception(
                DeadlineMissed(f"{missing} of {len(self.tasks)} images unanswered at the deadline")
            )


class PendingCalls:
    """All calls of one gateway that are waiting for replies."""

    def __init__(self) -> None:
        self._calls: dict[str, PendingCall] = {}

    def open(self, tasks: Sequence[Task]) -> PendingCall:
        call = PendingCall(tasks)
        if call.call_id in self._calls:
            raise ValueError(f"call {call.call_id} is already waiting")
        self._calls[call.call_id] = call
        return call

    def close(self, call: PendingCall) -> None:
        self._calls.pop(call.call_id, None)

    def is_waiting_for(self, call_id: str, number: int) -> bool:
        """Whether the reply to this task is still awaited."""
        call = self._calls.get(call_id)
        return call is not None and call.is_waiting_for(number)

    def task(self, call_id: str, number: int) -> Task | None:
        """The task of a waiting call."""
        call = self._calls.get(call_id)
        return None if call is None else call.tasks.get(number)

    def deliver_reply(self, reply: Reply) -> bool:
        """Deliver a reply to its call; False when no call waits for it."""
        call = self._calls.get(reply.call_id)
        return call is not None and call.add_reply(reply)
