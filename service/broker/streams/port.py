"""A worker's side of the streams: pull one live task, keep it while it is read, answer it."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import orjson
from redis.exceptions import ResponseError

from inkgate.service.background import Background
from inkgate.service.broker.holdoff import (
    DEATH_POINTS,
    LONGEST,
    OVERRAN,
    OVERRUN_POINTS,
    REMEMBERED,
    HoldOffRule,
    held_throughout,
)
from inkgate.service.broker.interface import Reply, Task
from inkgate.service.broker.messages import Malformed, reply_head
from inkgate.service.broker.streams import client
from inkgate.service.broker.streams.heart import Heart
from inkgate.service.broker.streams.keys import GROUP, Keys, name, task_of
from inkgate.service.broker.streams.scripts import source
from inkgate.service.contract.capabilities import CAPABILITIES

log = logging.getLogger(__name__)

_REPLY_OUTLIVES_MS = 120_000
_REPLIES_KEPT = 10_000
_SKIPPED_MOST = 64  # by one look, see fair.lua
_AWAKE_MS = 100  # after the end of its sleep, until a worker has looked again
_BEYOND_EVERY_LEASE_MS = 3_600_000
_PAUSE = 0.1  # between two tries while the server is out of reach


@dataclass(frozen=True, slots=True)
class _Entry:
    """A delivered stream entry. `queued_at` is Unix time in seconds, by the server's clock."""

    stream: str
    capability: str
    id: bytes
    deliveries: int
    queued_at: float
    fields: Mapping[bytes, bytes]


@dataclass(frozen=True, slots=True)
class _Reading:
    """An image that is being read, and when it has overrun, by the monotonic clock."""

    app: str
    name: str
    overruns_at: float


class StreamsPort:
    """A WorkerPort. While the server is out of reach `pull` returns None and `reply` tries on until the deadline.

    `on_malformed` hears the kind of every message that could not be understood.
    """

    def __init__(
        self,
        url: str,
        keys: Keys,
        worker: str,
        *,
        capabilities: Iterable[str] = CAPABILITIES,
        lease: float = 1.5,
        rule: HoldOffRule | None = None,
        overrun: float = 5.0,
        on_malformed: Callable[[str], None] = lambda kind: None,
        background: Background | None = None,
    ) -> None:
        self._on_malformed = on_malformed
        self._redis = client.blocking(url)
        self._pull = self._redis.register_script(source("pull"))
        self._answer = self._redis.register_script(source("reply"))
        self._strike = self._redis.register_script(source("strike"))
        self._rule, self._overran = rule or HoldOffRule(), OVERRAN * overrun
        self._slept = self._more = False
        self._hand_back = self._redis.register_script(source("hand_back"))
        self._keys, self._worker, self._lease = keys, worker, lease
        self._capabilities = deque(capabilities)
        self._of_stream = {keys.stream(capability): capability for capability in self._capabilities}
        self._buffer: deque[_Entry] = deque()
        self._held: dict[bytes, str] = {}
        self._reading: dict[bytes, _Reading] = {}
        self._beat_at = time.monotonic()
        self._entries: dict[tuple[str, int], _Entry] = {}
        self._lock = threading.Lock()
        self._looked = 0.0
        self._lag = 0.0  # the server's clock minus ours, in seconds
        self.skipped = 0
        self._heart = Heart(url, keys, worker, lease / 4, self._holding, background)
        self._heart.start()

    @property
    def beating(self) -> bool:
        """Whether the last heartbeat reached the server."""
        return self._heart.beating

    def pull(self, timeout: float) -> Task | None:
        """See WorkerPort.pull."""
        try:
            entry = self._buffer.popleft() if self._buffer else self._look(timeout) or self._wait(timeout)
            return None if entry is None else self._begin(entry)
        except ResponseError as error:
            if not client.lacks_group(error):
                raise
            self._make_groups()
        except client.OUT_OF_REACH as error:
            log.debug("pull: %s", error)
            time.sleep(_PAUSE)
        return None

    def reply(self, task: Task, reply: Reply) -> None:
        """See WorkerPort.reply. A reply that finds no way before the deadline is dropped: nobody waits for it."""
        entry = self._entries.pop((task.call_id, task.number), None)
        if entry is None:
            raise ValueError("a task is answered once, by the port that pulled it")
        with self._lock:
            self._reading.pop(entry.id, None)
        if reply.killed:
            self._strike_app(task.app, name(task), DEATH_POINTS)
        self._send(entry, reply, task.deadline)

    def _send(self, entry: _Entry, reply: Reply, deadline: float) -> None:
        keys = [entry.stream, self._keys.image(reply), entry.fields[b"to"].decode()]
        message = orjson.dumps(reply_head(reply))
        while True:
            try:
                self._answer(keys=keys, args=[GROUP, entry.id, message, _REPLY_OUTLIVES_MS, _REPLIES_KEPT])
                break
            except client.OUT_OF_REACH as error:
                if time.time() > deadline:
                    log.warning("a reply found no way to its gateway: %s", error)
                    break
                time.sleep(_PAUSE)
            except ResponseError as error:  # trying again changes nothing; an entry still queued goes to another worker
                self._on_malformed("reply")
                log.error("a reply was not taken by the server: %s", error)
                break
        with self._lock:
            self._held.pop(entry.id, None)

    def close(self) -> None:
        """Leave. Entries that were delivered and not begun go back at once."""
        for entry in self._buffer:
            try:
                self._hand_back(keys=[entry.stream], args=[GROUP, self._worker, entry.id, _BEYOND_EVERY_LEASE_MS])
            except client.OUT_OF_REACH:
                break  # their lease runs out, then
        self._buffer.clear()
        self._heart.stop()
        self._redis.close()

    def _look(self, timeout: float) -> _Entry | None:
        """One look at all streams, beginning with another one each time; silent workers' tasks a few times a lease.

        When it finds nothing, this worker is known to sleep for the next `timeout` seconds.
        """
        self._capabilities.rotate(-1)
        reclaim = time.monotonic() - self._looked > self._lease / 4
        streams = self._keys.streams(tuple(self._capabilities))
        found: Any = self._pull(
            keys=[self._keys.held, *streams],
            args=[
                GROUP,
                self._worker,
                int(self._lease * 1000),
                int(reclaim),
                self._keys.images,
                int(self._slept),
                self._block(timeout) + _AWAKE_MS,
            ],
        )
        self._slept = False
        if reclaim:
            self._looked = time.monotonic()
        self._lag = found[0] / 1000 - time.time()
        self.skipped += found[1]
        self._more = found[1] >= _SKIPPED_MOST
        if len(found) == 2:
            return None
        _, _, index, entry_id, deliveries, flat = found
        return self._entry(streams[index - 1], entry_id, deliveries, dict(zip(flat[::2], flat[1::2], strict=True)))

    def _wait(self, timeout: float) -> _Entry | None:
        """Sleep on all streams until a task comes. Of two that come at the same moment, one is kept here."""
        if self._more:
            return None
        self._slept = True
        streams: dict[Any, Any] = dict.fromkeys(self._of_stream, ">")
        found: Any = self._redis.xreadgroup(GROUP, self._worker, streams, count=1, block=self._block(timeout))
        for stream, entries in found or ():
            for entry_id, fields in entries:
                entry = self._entry(stream.decode(), entry_id, 1, fields)
                with self._lock:
                    self._held[entry.id] = entry.stream
                self._buffer.append(entry)
        return self._buffer.popleft() if self._buffer else None

    def _block(self, timeout: float) -> int:
        """Milliseconds to sleep: not so long that a silent worker's task would wait."""
        return max(1, int(min(timeout, self._lease / 4) * 1000))

    def _strike_app(self, app: str, image: str, points: int) -> None:
        """An image of this app has killed a worker or overrun. A server that is out of reach is not told."""
        rule = self._rule
        if not rule.deaths or not app:
            return
        keys = [self._keys.held, self._keys.deaths(app), self._keys.holds(app)]
        times = (rule.window, rule.seconds, LONGEST, REMEMBERED)
        try:
            held: Any = self._strike(
                keys=keys, args=[app, image, rule.points, *(int(each * 1000) for each in times), points]
            )
        except client.OUT_OF_REACH as error:
            log.warning("a death or an overrun was not counted: %s", error, extra={"app": app})
            return
        if held:
            log.error("held off: images of this app killed workers", extra={"app": app, "seconds": held / 1000})

    def _entry(self, stream: str, entry_id: bytes, deliveries: int, fields: Mapping[bytes, bytes]) -> _Entry:
        queued_at = int(entry_id.split(b"-")[0]) / 1000
        return _Entry(stream, self._of_stream[stream], entry_id, deliveries, queued_at, fields)

    def _begin(self, entry: _Entry) -> Task | None:
        with self._lock:
            self._held[entry.id] = entry.stream
        now = time.time()
        age = max(0.0, now + self._lag - entry.queued_at)
        try:
            task = task_of(entry.fields, entry.capability, b"", age, now)
        except Malformed as error:
            self._refuse(entry, error)
            return None
        try:
            image = self._payload(task, entry) if task.deadline > now else None
        except client.OUT_OF_REACH:
            self._buffer.appendleft(entry)  # it is ours and we keep it alive: it must not be forgotten
            raise
        if not isinstance(image, bytes):  # withdrawn or expired between delivery and now
            self._forget(entry, self._keys.begun(task))
            return None
        self._entries[task.call_id, task.number] = entry
        waited = entry.fields.get(b"waited", b"")  # ms in the fair order, before it came into the stream
        queued = age + (int(waited) / 1000 if waited.isdigit() else 0.0)
        left = task.deadline - now
        if entry.deliveries == 1 and held_throughout(left, left + queued):
            with self._lock:
                self._reading[entry.id] = _Reading(task.app, name(task), time.monotonic() + left + self._overran)
        return replace(task, image=image, delivery=entry.deliveries, queued=queued)

    def _payload(self, task: Task, entry: _Entry) -> object:
        """The image's bytes; those of one that nobody waits for as well, if its first worker died."""
        image = self._redis.get(self._keys.image(task))
        return self._redis.get(self._keys.begun(task)) if image is None and entry.deliveries > 1 else image

    def _refuse(self, entry: _Entry, error: Malformed) -> None:
        """An entry that cannot be understood is answered as failed where it names its call, and is not tried again."""
        self._on_malformed("task")
        log.error("an entry of the queue cannot be understood: %s", error)
        if error.answer is not None:
            self._send(entry, error.answer, time.time())
        else:
            self._forget(entry)

    def _forget(self, entry: _Entry, *payload: str) -> None:
        self.skipped += 1
        with self._lock:
            self._held.pop(entry.id, None)
        with self._redis.pipeline(transaction=True) as commands:
            commands.xack(entry.stream, GROUP, entry.id)
            commands.xdel(entry.stream, entry.id)
            if payload:
                commands.delete(*payload)
            commands.execute()

    def _holding(self) -> Mapping[bytes, str]:
        """What the heart keeps alive with this beat. Overruns are counted here as well: the watchdog leaves a worker no
        time to do so, and nobody else knows when an image was begun."""
        now = time.monotonic()
        with self._lock:
            if now - self._beat_at > self._lease:
                self._reading.clear()  # this process stood still, or had no server: nothing is an image's doing
            self._beat_at = now
            overran = [entry_id for entry_id, each in self._reading.items() if now > each.overruns_at]
            images = [self._reading.pop(entry_id) for entry_id in overran]
            held = dict(self._held)
        for image in images:
            self._strike_app(image.app, image.name, OVERRUN_POINTS)
        return held

    def _make_groups(self) -> None:
        """From 0, not from "now": what was queued before the group existed is to be read as well."""
        log.warning("no consumer group on the server: making it")
        try:
            for stream in self._of_stream:
                try:
                    self._redis.xgroup_create(stream, GROUP, id="0", mkstream=True)
                except ResponseError as error:
                    if "BUSYGROUP" not in str(error):
                        raise
        except client.OUT_OF_REACH:
            time.sleep(_PAUSE)
