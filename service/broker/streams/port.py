"""Worker side of the Redis Streams broker: pull a task, renew its lease, reply."""

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
    HOLD_OFF_MEMORY_SECONDS,
    MAX_HOLD_OFF_SECONDS,
    OVERRUN_GRACE_SHARE,
    OVERRUN_POINTS,
    HoldOffRule,
    counts_as_overrun,
)
from inkgate.service.broker.interface import Reply, Task
from inkgate.service.broker.messages import MessageError, encode_reply
from inkgate.service.broker.streams import client
from inkgate.service.broker.streams.heartbeat import Heartbeat
from inkgate.service.broker.streams.keys import GROUP, Keys, decode_entry, queue_member
from inkgate.service.broker.streams.scripts import script_source
from inkgate.service.contract.capabilities import CAPABILITIES

log = logging.getLogger(__name__)

_REPLY_OUTLIVES_MS = 120_000
_REPLIES_KEPT = 10_000
_MAX_SKIPPED = 64  # per poll, see fair.lua
_WAKE_MARGIN_MS = 100  # from the end of the blocking read to the next poll
_IDLE_PAST_LEASES_MS = 3_600_000
_RETRY_PAUSE_SECONDS = 0.1  # between retries while the server is unreachable


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
class _RunningImage:
    """An image in progress. `overruns_at` is monotonic time in seconds."""

    app: str
    name: str
    overruns_at: float


class StreamsPort:
    """A WorkerPort. While the server is unreachable `pull` returns None and `reply` retries until the deadline.

    `on_malformed` is called with the kind of every malformed message.
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
        self._redis = client.blocking_client(url)
        self._pull = self._redis.register_script(script_source("pull"))
        self._answer = self._redis.register_script(script_source("reply"))
        self._record_fault = self._redis.register_script(script_source("strike"))
        self._rule, self._overrun_grace = rule or HoldOffRule(), OVERRUN_GRACE_SHARE * overrun
        self._slept = self._more = False
        self._hand_back = self._redis.register_script(script_source("hand_back"))
        self._keys, self._worker, self._lease = keys, worker, lease
        self._capabilities = deque(capabilities)
        self._of_stream = {keys.stream(capability): capability for capability in self._capabilities}
        self._buffer: deque[_Entry] = deque()
        self._held: dict[bytes, str] = {}
        self._running: dict[bytes, _RunningImage] = {}
        self._heartbeat_at = time.monotonic()
        self._entries: dict[tuple[str, int], _Entry] = {}
        self._lock = threading.Lock()
        self._looked = 0.0
        self._lag = 0.0  # server clock minus local clock, in seconds
        self.skipped = 0
        self._heartbeat = Heartbeat(url, keys, worker, lease / 4, self._held_entries, background)
        self._heartbeat.start()

    @property
    def heartbeat_ok(self) -> bool:
        """Whether the last heartbeat reached the server."""
        return self._heartbeat.beating

    def pull(self, timeout: float) -> Task | None:
        """See WorkerPort.pull."""
        try:
            entry = self._buffer.popleft() if self._buffer else self._poll(timeout) or self._blocking_read(timeout)
            return None if entry is None else self._start_task(entry)
        except ResponseError as error:
            if not client.is_missing_group(error):
                raise
            self._make_groups()
        except client.TRANSIENT_ERRORS as error:
            log.debug("pull: %s", error)
            time.sleep(_RETRY_PAUSE_SECONDS)
        return None

    def reply(self, task: Task, reply: Reply) -> None:
        """See WorkerPort.reply. A reply that cannot be sent before the deadline is dropped."""
        entry = self._entries.pop((task.call_id, task.number), None)
        if entry is None:
            raise ValueError("a task is answered once, by the port that pulled it")
        with self._lock:
            self._running.pop(entry.id, None)
        if reply.killed:
            self._record_app_fault(task.app, queue_member(task), DEATH_POINTS)
        self._send(entry, reply, task.deadline)

    def _send(self, entry: _Entry, reply: Reply, deadline: float) -> None:
        keys = [entry.stream, self._keys.image(reply), entry.fields[b"to"].decode()]
        message = orjson.dumps(encode_reply(reply))
        while True:
            try:
                self._answer(keys=keys, args=[GROUP, entry.id, message, _REPLY_OUTLIVES_MS, _REPLIES_KEPT])
                break
            except client.TRANSIENT_ERRORS as error:
                if time.time() > deadline:
                    log.warning("a reply found no way to its gateway: %s", error)
                    break
                time.sleep(_RETRY_PAUSE_SECONDS)
            except ResponseError as error:  # no retry; an entry still queued goes to another worker
                self._on_malformed("reply")
                log.error("a reply was not taken by the server: %s", error)
                break
        with self._lock:
            self._held.pop(entry.id, None)

    def close(self) -> None:
        """Unregister. Entries that were delivered but not started are released at once."""
        for entry in self._buffer:
            try:
                self._hand_back(keys=[entry.stream], args=[GROUP, self._worker, entry.id, _IDLE_PAST_LEASES_MS])
            except client.TRANSIENT_ERRORS:
                break  # the lease expires instead
        self._buffer.clear()
        self._heartbeat.stop()
        self._redis.close()

    def _poll(self, timeout: float) -> _Entry | None:
        """Poll all streams in rotating order; tasks of silent workers are reclaimed a few times per lease.

        Without a task, this worker is registered as idle for the next `timeout` seconds.
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
                self._block(timeout) + _WAKE_MARGIN_MS,
            ],
        )
        self._slept = False
        if reclaim:
            self._looked = time.monotonic()
        self._lag = found[0] / 1000 - time.time()
        self.skipped += found[1]
        self._more = found[1] >= _MAX_SKIPPED
        if len(found) == 2:
            return None
        _, _, index, entry_id, deliveries, flat = found
        return self._entry(streams[index - 1], entry_id, deliveries, dict(zip(flat[::2], flat[1::2], strict=True)))

    def _blocking_read(self, timeout: float) -> _Entry | None:
        """Blocking read on all streams. If entries arrive from two streams at once, one stays in the buffer."""
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
        """Milliseconds of the blocking read: short enough to reclaim tasks of silent workers in time."""
        return max(1, int(min(timeout, self._lease / 4) * 1000))

    def _record_app_fault(self, app: str, image: str, points: int) -> None:
        """Count a death or an overrun of an image of this app. Not retried when the server is unreachable."""
        rule = self._rule
        if not rule.deaths or not app:
            return
        keys = [self._keys.held, self._keys.deaths(app), self._keys.holds(app)]
        times = (rule.window, rule.seconds, MAX_HOLD_OFF_SECONDS, HOLD_OFF_MEMORY_SECONDS)
        try:
            held: Any = self._record_fault(
                keys=keys, args=[app, image, rule.max_points, *(int(each * 1000) for each in times), points]
            )
        except client.TRANSIENT_ERRORS as error:
            log.warning("a death or an overrun was not counted: %s", error, extra={"app": app})
            return
        if held:
            log.error("held off: images of this app killed workers", extra={"app": app, "seconds": held / 1000})

    def _entry(self, stream: str, entry_id: bytes, deliveries: int, fields: Mapping[bytes, bytes]) -> _Entry:
        queued_at = int(entry_id.split(b"-")[0]) / 1000
        return _Entry(stream, self._of_stream[stream], entry_id, deliveries, queued_at, fields)

    def _start_task(self, entry: _Entry) -> Task | None:
        with self._lock:
            self._held[entry.id] = entry.stream
        now = time.time()
        age = max(0.0, now + self._lag - entry.queued_at)
        try:
            task = decode_entry(entry.fields, entry.capability, b"", age, now)
        except MessageError as error:
            self._fail_malformed(entry, error)
            return None
        try:
            image = self._payload(task, entry) if task.deadline > now else None
        except client.TRANSIENT_ERRORS:
            self._buffer.appendleft(entry)  # its lease is renewed by this worker, so it must not be lost
            raise
        if not isinstance(image, bytes):  # withdrawn or expired since its delivery
            self._forget(entry, self._keys.withdrawn_payload(task))
            return None
        self._entries[task.call_id, task.number] = entry
        waited = entry.fields.get(b"waited", b"")  # ms in the fair queue before it entered the stream
        queued = age + (int(waited) / 1000 if waited.isdigit() else 0.0)
        left = task.deadline - now
        if entry.deliveries == 1 and counts_as_overrun(left, left + queued):
            with self._lock:
                self._running[entry.id] = _RunningImage(
                    task.app, queue_member(task), time.monotonic() + left + self._overrun_grace
                )
        return replace(task, image=image, delivery=entry.deliveries, queued=queued)

    def _payload(self, task: Task, entry: _Entry) -> object:
        """The image's bytes; also those of a withdrawn image if its first worker died."""
        image = self._redis.get(self._keys.image(task))
        return self._redis.get(self._keys.withdrawn_payload(task)) if image is None and entry.deliveries > 1 else image

    def _fail_malformed(self, entry: _Entry, error: MessageError) -> None:
        """Answer a malformed entry as failed if it names its call; it is not retried."""
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

    def _held_entries(self) -> Mapping[bytes, str]:
        """The entries whose lease this heartbeat renews. Overruns are counted here too: the watchdog ends the process
        without warning, and no other process knows when an image was started."""
        now = time.monotonic()
        with self._lock:
            if now - self._heartbeat_at > self._lease:
                self._running.clear()  # the process was paused or had no server: not caused by an image
            self._heartbeat_at = now
            overdue = [entry_id for entry_id, each in self._running.items() if now > each.overruns_at]
            images = [self._running.pop(entry_id) for entry_id in overdue]
            held = dict(self._held)
        for image in images:
            self._record_app_fault(image.app, image.name, OVERRUN_POINTS)
        return held

    def _make_groups(self) -> None:
        """Create the consumer groups, from id 0: entries older than the group must be read too."""
        log.warning("no consumer group on the server: making it")
        try:
            for stream in self._of_stream:
                try:
                    self._redis.xgroup_create(stream, GROUP, id="0", mkstream=True)
                except ResponseError as error:
                    if "BUSYGROUP" not in str(error):
                        raise
        except client.TRANSIENT_ERRORS:
            time.sleep(_RETRY_PAUSE_SECONDS)
