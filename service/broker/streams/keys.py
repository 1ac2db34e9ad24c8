"""Names of everything in Redis, and what a stream entry holds.

All keys of one namespace carry the same hash tag, so that scripts may touch them together on a cluster as well:

    {ns}:q:<capability>:<profile>   stream, consumer group "workers"; one small entry per image
    {ns}:img:<call>:<number>        the picture's bytes, with a TTL; gone means withdrawn or answered
    {ns}:r:<gateway>                stream of replies to one gateway
    {ns}:workers:<profile>          sorted set: worker -> server time of its last heartbeat, in milliseconds
    {ns}:roll:<profile>             hash: host -> server time and what its supervisor tells of its workers
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from service.broker.interface import Outcome, Reply, Task
from service.broker.messages import Malformed

GROUP = "workers"
CAPABILITIES = ("general", "idcard", "plate", "licence")


@dataclass(frozen=True, slots=True)
class Keys:
    """The names of one namespace and profile."""

    namespace: str
    profile: str

    def stream(self, capability: str) -> str:
        return f"{{{self.namespace}}}:q:{capability}:{self.profile}"

    def streams(self, capabilities: Sequence[str] = CAPABILITIES) -> list[str]:
        return [self.stream(capability) for capability in capabilities]

    @property
    def images(self) -> str:
        """The prefix of all payload keys."""
        return f"{{{self.namespace}}}:img:"

    def image(self, task: Task | Reply) -> str:
        return f"{self.images}{task.call_id}:{task.number}"

    def replies(self, gateway: str) -> str:
        return f"{{{self.namespace}}}:r:{gateway}"

    @property
    def workers(self) -> str:
        return f"{{{self.namespace}}}:workers:{self.profile}"

    @property
    def roll(self) -> str:
        return f"{{{self.namespace}}}:roll:{self.profile}"


def entry(task: Task, ttl_ms: int, reply_to: str) -> dict[str, str | int]:
    """What a stream entry holds. The deadline is a duration: the entry's id tells since when, by the server's clock."""
    return {
        "call": task.call_id, "n": task.number, "ttl": ttl_ms, "to": reply_to, "extras": int(task.extras),
        "trace": task.trace,
    }


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
    )
