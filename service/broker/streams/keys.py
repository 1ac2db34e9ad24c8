"""Redis key names, and the encoding of stream entries.

All keys of one namespace have the same hash tag, so that scripts can use them together on a cluster:

    {ns}:q:<capability>:<profile>   stream, consumer group "workers"; one small entry per image
    {ns}:q:<capability>:<profile>:… the fair queue in front of the stream, see lua/fair.lua
    {ns}:img:<call>:<number>        the image's bytes, with a TTL; missing: withdrawn or answered
    {ns}:img:<call>:<number>:begun  the same, of an image withdrawn after its delivery, see lua/fair.lua
    {ns}:r:<gateway>                stream of replies to one gateway
    {ns}:workers:<profile>          sorted set: worker -> server time of its last heartbeat, in milliseconds
    {ns}:aware:<profile>            the same, of workers that support the fair queue
    {ns}:held                       sorted set: app -> server time in ms until which it is held off
    {ns}:deaths:<app>               sorted set: recent faults (deaths and overruns) of an app, one member per point
    {ns}:holds:<app>                number of recent hold-offs of an app
    {ns}:roll:<profile>             hash, the worker registry: host -> server time and its worker records
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import orjson

from inkgate.service.broker.interface import Outcome, Reply, Task
from inkgate.service.broker.messages import MessageError
from inkgate.service.contract.capabilities import CAPABILITIES

GROUP = "workers"


@dataclass(frozen=True, slots=True)
class Keys:
    """The key names of one namespace and profile."""

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
        return f"{self.images}{queue_member(task)}"

    def withdrawn_payload(self, task: Task) -> str:
        return f"{self.image(task)}:begun"

    def replies(self, gateway: str) -> str:
        return f"{{{self.namespace}}}:r:{gateway}"

    @property
    def workers(self) -> str:
        return f"{{{self.namespace}}}:workers:{self.profile}"

    @property
    def fair_order_workers(self) -> str:
        return f"{{{self.namespace}}}:aware:{self.profile}"

    @property
    def held(self) -> str:
        return f"{{{self.namespace}}}:held"

    def deaths(self, app: str) -> str:
        return f"{{{self.namespace}}}:deaths:{app}"

    def holds(self, app: str) -> str:
        return f"{{{self.namespace}}}:holds:{app}"

    @property
    def worker_registry(self) -> str:
        return f"{{{self.namespace}}}:roll:{self.profile}"


def queue_member(task: Task | Reply) -> str:
    """The member name of a task in the fair queue."""
    return f"{task.call_id}:{task.number}"


def encode_entry(task: Task, ttl_ms: int, reply_to: str) -> bytes:
    """Encode a stream entry as a JSON list of names and values. The deadline is a duration by the server's clock: from
    the submission while the task waits in the fair queue, from the entry's id once it is in the stream."""
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


def decode_entry(fields: Mapping[bytes, bytes], capability: str, image: bytes, age: float, now: float) -> Task:
    """Decode an entry that waited for `age` seconds; `now` is this host's clock. Unknown fields are ignored.

    Raises MessageError when call, number, time to live or reply stream is missing or malformed.
    """
    try:
        call_id, number = fields[b"call"].decode(), int(fields[b"n"])
        fields[b"to"].decode()
    except (KeyError, ValueError):
        raise MessageError("a stream entry names no call, number or reply stream") from None
    try:
        left = int(fields[b"ttl"]) / 1000 - age
    except (KeyError, ValueError):
        raise MessageError("a stream entry has no time to live", Reply(call_id, number, Outcome.FAILED)) from None
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
