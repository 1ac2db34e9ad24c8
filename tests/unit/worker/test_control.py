"""The control channel: what is sent arrives as it was, and nothing that a child sends raises but the one error."""

from __future__ import annotations

import asyncio
import json
import struct
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from inkgate.service.broker import frames
from inkgate.service.broker.messages import MessageError
from inkgate.service.worker import control
from inkgate.service.worker.control import (
    Begun,
    Done,
    EngineFacts,
    Fatal,
    Kind,
    Leaving,
    MalformedMessage,
    Message,
    MetricsReport,
    Ready,
    TaskFailed,
    WorkerReady,
    decode,
    encode,
    kind_of,
)

MESSAGES: dict[str, tuple[Message, dict[str, Any]]] = {
    "ready": (Ready(), {"kind": "ready"}),
    "worker ready": (
        WorkerReady("host-7", EngineFacts("onnx", "det rec", "cpu"), "balanced", 200.5),
        {
            "kind": "ready",
            "name": "host-7",
            "engine": {"engine": "onnx", "model": "det rec", "device": "cpu"},
            "profile": "balanced",
            "rss_mib": 200.5,
        },
    ),
    "done": (
        Done("general", "read", 2, {"infer": 0.5}, 3, 210.0, 4),
        {
            "kind": "done",
            "capability": "general",
            "outcome": "read",
            "delivery": 2,
            "stages": {"infer": 0.5},
            "lines": 3,
            "rss_mib": 210.0,
            "in_hand": 4,
        },
    ),
    "leaving": (Leaving("memory"), {"kind": "leaving", "reason": "memory"}),
    "fatal": (Fatal("no such model"), {"kind": "fatal", "error": "no such model"}),
    "malformed": (MalformedMessage("reply"), {"kind": "malformed", "message": "reply"}),
    "task failed": (TaskFailed("heartbeat"), {"kind": "task failed", "task": "heartbeat"}),
    "metrics": (
        MetricsReport(7, [["inkgate_x", "counter", []]]),
        {"kind": "metrics", "pid": 7, "families": [["inkgate_x", "counter", []]]},
    ),
    "begun": (Begun(), {"kind": "begun"}),
}
"""Each message, and the JSON that releases up to this one exchange for it."""

REQUIRED = {
    "worker ready": ("name", "engine"),
    "done": ("capability", "outcome"),
    "malformed": ("message",),
    "task failed": ("task",),
    "metrics": ("pid", "families"),
}


@pytest.mark.parametrize(("message", "head"), MESSAGES.values(), ids=MESSAGES)
def test_a_message_arrives_as_it_was_sent(message: Message, head: dict[str, Any]) -> None:
    assert json.loads(orjson.dumps(encode(message))) == head
    assert decode(head) == message
    assert kind_of(head) is message.kind


def test_every_kind_is_tested() -> None:
    assert {message.kind for message, _ in MESSAGES.values()} == set(Kind)


@pytest.mark.parametrize(("message", "head"), MESSAGES.values(), ids=MESSAGES)
def test_fields_of_another_release_are_left_out(message: Message, head: dict[str, Any]) -> None:
    assert decode({**head, "colour": "red"}) == message


@pytest.mark.parametrize("head", [{}, {"kind": 7}, {"kind": []}, {"kind": "tomorrow"}, {"kind": "gone", "status": 0}])
def test_a_kind_that_is_not_known_is_left_out(head: dict[str, Any]) -> None:
    assert kind_of(head) is None and decode(head) is None


@pytest.mark.parametrize("name", MESSAGES)
def test_what_may_be_missing_has_a_default(name: str) -> None:
    message, head = MESSAGES[name]
    kept = {"kind", *REQUIRED.get(name, ())}
    least = decode({key: value for key, value in head.items() if key in kept})
    assert type(least) is type(message)


def test_the_defaults_are_those_of_the_first_release() -> None:
    assert decode({"kind": "leaving"}) == Leaving("stop")
    assert decode({"kind": "fatal"}) == Fatal("it could not start")
    assert decode({"kind": "done", "capability": "plate", "outcome": "failed"}) == Done("plate", "failed", 1, {})
    assert decode({"kind": "ready", "name": "x", "engine": {}}) == WorkerReady("x", EngineFacts(), "", None)


@pytest.mark.parametrize(
    ("name", "field"), [(name, field) for name, fields in REQUIRED.items() for field in fields], ids="-".join
)
def test_what_must_not_be_missing(name: str, field: str) -> None:
    _, head = MESSAGES[name]
    with pytest.raises(MessageError):
        decode({key: value for key, value in head.items() if key != field})


@pytest.mark.parametrize(
    ("name", "odd"),
    [
        ("worker ready", {"engine": "text"}),
        ("worker ready", {"engine": {"device": 7}}),
        ("worker ready", {"rss_mib": "much"}),
        ("worker ready", {"rss_mib": -1}),
        ("worker ready", {"rss_mib": float("inf")}),
        ("worker ready", {"name": "x" * (control.TEXT_LIMIT + 1)}),
        ("done", {"capability": None}),
        ("done", {"stages": []}),
        ("done", {"lines": True}),
        ("done", {"lines": -1}),
        ("done", {"in_hand": 10**100}),
        ("done", {"delivery": 1.5}),
        ("leaving", {"reason": 7}),
        ("metrics", {"pid": "7"}),
        ("metrics", {"families": {}}),
    ],
)
def test_another_type_or_out_of_bounds_is_malformed(name: str, odd: dict[str, Any]) -> None:
    with pytest.raises(MessageError):
        decode({**MESSAGES[name][1], **odd})


def test_an_error_is_kept_whatever_it_is_and_bounded() -> None:
    assert decode({"kind": "fatal", "error": ["no"]}) == Fatal("['no']")
    assert decode({"kind": "fatal", "error": "x" * 10**6}) == Fatal("x" * control.ERROR_LIMIT)


def test_seconds_that_are_no_numbers_are_left_out() -> None:
    done = decode({**MESSAGES["done"][1], "stages": {"infer": 0.5, "queue": "long", "odd": True, "far": 1e300}})
    assert isinstance(done, Done) and done.stages == {"infer": 0.5}


BUSY_MACHINE = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4)
)
FIELDS = sorted({key for _, head in MESSAGES.values() for key in head if key != "kind"})


@BUSY_MACHINE
@given(kind=st.sampled_from(sorted(Kind)), fields=st.dictionaries(st.sampled_from(FIELDS), VALUES))
def test_any_object_is_a_message_or_malformed(kind: str, fields: dict[str, Any]) -> None:
    try:
        message = decode({"kind": kind, **fields})
    except MessageError:
        return
    assert message is not None and message.kind == kind
    assert decode(encode(message)) == message


async def _read(raw: bytes) -> None:
    reader = asyncio.StreamReader()
    reader.feed_data(raw)
    reader.feed_eof()
    while True:
        try:
            head, _ = await frames.read_frame(reader)
        except MessageError:
            continue  # the next frame can be read all the same
        except frames.PeerClosed:
            return
        try:
            decode(head)
        except MessageError:
            continue


@BUSY_MACHINE
@given(st.binary(max_size=64))
def test_any_bytes_on_the_channel_raise_nothing_else(raw: bytes) -> None:
    asyncio.run(_read(raw))


@BUSY_MACHINE
@given(st.lists(st.binary(max_size=64) | VALUES.map(lambda value: json.dumps(value).encode()), max_size=4))
def test_any_frames_on_the_channel_raise_nothing_else(heads: list[bytes]) -> None:
    asyncio.run(_read(b"".join(struct.pack(">II", len(head), 0) + head for head in heads)))
