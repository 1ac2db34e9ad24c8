"""The messages of release 0.1 as that release wrote and read them: a copy that stays as it is, whatever the code does.

A release is replaced one process at a time, so that its workers stand beside the next one's gateways and the other way
round. What is here is strict where 0.1 was strict: it fails on a field that it does not know, or that is missing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

OUTCOMES = ("read", "decode", "failed", "expired")
CONFIG = {
    "runtime": "stub",
    "profile": "balanced",
    "threads": 1,
    "model_dir": None,
    "max_pixels": 100_000_000,
    "stub_ms": 1.0,
    "max_images": 0,
    "max_rss_mib": 0,
    "overrun": 5.0,
    "at_once": 1,
    "log_level": "info",
    "log_format": "json",
    "traces_endpoint": "",
    "traces_ratio": 1.0,
    "redis_url": "",
    "namespace": "inkgate",
    "lease": 1.5,
    "capabilities": ["general", "idcard", "plate", "licence"],
    "plate_types": {},
}
READY = {
    "kind": "ready",
    "name": "host-1",
    "engine": {"engine": "stub", "model": "stub", "device": "cpu"},
    "profile": "balanced",
    "rss_mib": 100.0,
}
DONE = {
    "kind": "done",
    "capability": "general",
    "outcome": "read",
    "delivery": 1,
    "stages": {"queue": 0.1, "infer": 0.2},
    "lines": 3,
    "rss_mib": 101.0,
    "in_hand": 1,
}


def task_head(call_id: str, number: int, deadline: float) -> dict[str, Any]:
    """What a gateway of 0.1 put before an image on a worker's socket."""
    return {
        "call_id": call_id,
        "number": number,
        "capability": "general",
        "deadline": deadline,
        "extras": False,
        "delivery": 1,
        "queued": 0.0,
        "trace": "",
    }


def entry(call_id: str, number: int, reply_to: str) -> dict[str, str | int]:
    """What a gateway of 0.1 put on a stream."""
    return {"call": call_id, "n": number, "ttl": 20_000, "to": reply_to, "extras": 0, "trace": ""}


def read_entry(fields: Mapping[bytes, bytes]) -> tuple[str, int]:
    """How a worker of 0.1 read it: every field by its name."""
    assert int(fields[b"ttl"]) > 0 and fields[b"to"].decode()
    assert fields[b"extras"] in (b"0", b"1")
    fields[b"trace"].decode()
    return fields[b"call"].decode(), int(fields[b"n"])


def reply(call_id: str, number: int, text: str) -> bytes:
    """What a worker of 0.1 answered."""
    return orjson.dumps(
        {
            "call_id": call_id,
            "number": number,
            "outcome": "read",
            "element": {"text": text},
            "worker": "old",
            "stages": {"queue": 0.0, "infer": 0.01},
            "busy": 0.02,
        }
    )


def read_reply(raw: bytes) -> dict[str, Any]:
    """How a gateway of 0.1 read it: `Reply(**message)`, so that no field may be added."""

    def known(
        call_id: str,
        number: int,
        outcome: str,
        element: Any = None,
        worker: str = "",
        stages: Any = None,
        busy: float = 0.0,
    ) -> dict[str, Any]:
        assert outcome in OUTCOMES
        return {"call_id": call_id, "number": number, "outcome": outcome, "element": element}

    return known(**orjson.loads(raw))
