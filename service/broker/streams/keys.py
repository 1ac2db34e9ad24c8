"""Names of everything in Redis, and what a stream entry holds.

All keys of one namespace carry the same hash tag, so that scripts may touch them together on a cluster as well:

    {ns}:q:<capability>:<profile>   stream, consumer group "workers"; one small entry per image
    {ns}:q:<capability>:<profile>:… the fair order of what waits before it is in the stream, see lua/fair.lua
    {ns}:img:<call>:<number>        the picture's bytes, with a TTL; gone means withdrawn or answered
    {ns}:img:<call>:<number>:begun  the same, of one that was withdrawn after it had been delivered, see lua/fair.lua
    {ns}:r:<gateway>                stream of replies to one gateway
    {ns}:workers:<profile>          sorted set: worker -> server time of its last heartbeat, in milliseconds
    {ns}:aware:<profile>            the same, of those who know the fair order
    {ns}:held                       sorted set: app -> server time in ms until which it is held off
    {ns}:deaths:<app>               sorted set: workers that images of an app killed or held too long of late, by points
    {ns}:holds:<app>                how often an app was held off of late
    {ns}:roll:<profile>             hash: host -> server time and what its supervisor tells of its workers
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import orjson

from inkgate.service.broker.interface import Outcome, Reply, Task
from inkgate.service.broker.messages import Malformed
from inkgate.service.contract.capabilities import CAPABILITIES

GROUP = "workers"


@dataclass(frozen=True, slots=True)
class Keys:
    """The names of one namespace and profile."""

    namespace: str
    profile: str

    def stream(self, capability: str) -> str:
        return f"{{{self.namespace}}}:q:{capability}:{self.profile}"

    def streams(self, capabilities: Iterable[str] = CAPABILITIES) -> list[str]:
        return [self.stream(capability) for capability in capabilities]

    @property
    def images(self) -> str:
        """The prefix of all payload keys."""
        return f"{{{self.namespace}}}:img:"

    def image(self, task: Task | Reply) -> str:
        return f"{self.images}{name(task)}"

    def begun(self, task: Task) -> str:
        return f"{self.image(task)}:begun"

    def replies(self, gateway: str) -> str:
        return f"{{{self.namespace}}}:r:{gateway}"

    @property
    def workers(self) -> str:
        return f"{{{self.namespace}}}:workers:{self.profile}"

    @property
    def aware(self) -> str:
        return f"{{{self.namespace}}}:aware:{self.profile}"

    @property
    def held(self) -> str:
        return f"{{{self.namespace}}}:held"

    def deaths(self, app: str) -> str:
        return f"{{{self.namespace}}}:deaths:{app}"

    def holds(self, app: str) -> str:
        return f"{{{self.namespace}}}:holds:{app}"

    @property
    def roll(self) -> str:
        return f"{{{self.namespace}}}:roll:{self.profile}"


def name(task: Task | Reply) -> str:
    """What a waiting task is called in the fair order."""
    return f"{task.call_id}:{task.number}"


def entry(task: Task, ttl_ms: int, reply_to: str) -> bytes:
    """What a stream entry holds, as a JSON list of names and values. The deadline is a duration: from the queueing on
    while the task waits, from the entry's id on once it is in the stream, both by the server's clock."""
    return orjson.dumps(
        [
            "call",
            task.call_id,
            "n",
            str(task.number),
            "ttl",
            str(ttl_ms),
            "to",
            reply_to,
            "extras",
            str(int(task.extras)),
            "trace",
            task.trace,
            "app",
            task.app,
        ]
    )


def task_of(fields: Mapping[bytes, bytes], capability: str, image: bytes, age: float, now: float) -> Task:
    """The task of an entry that waited for `age` seconds; `now` is this host's clock. Fields of another release that we
    do not know are left out. Raises Malformed when the call, the number, the time to live or the reply stream is not
    there or not legible.
    """
    try:
        call_id, number = fields[b"call"].decode(), int(fields[b"n"])
        fields[b"to"].decode()
    except (KeyError, ValueError):
        raise Malformed("a stream entry names no call, number or reply stream") from None
    try:
        left = int(fields[b"ttl"]) / 1000 - age
    except (KeyError, ValueError):
        raise Malformed("a stream entry has no time to live", Reply(call_id, number, Outcome.FAILED)) from None
    return Task(
        call_id=call_id,
        number=number,
        capability=capability,
        deadline=now + left,
        image=image,
        extras=fields.get(b"extras") == b"1",
        trace=fields.get(b"trace", b"").decode(errors="replace"),
        app=fields.get(b"app", b"").decode(errors="replace"),
    )
