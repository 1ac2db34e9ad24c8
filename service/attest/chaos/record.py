"""The file `chaos.json` of a run, and how a reader of a pack counts it again. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from inkgate.service.attest.chaos.verdict import Accounts, Call, Promise

NAME = "chaos"
FILE = "chaos.json"


@dataclass(frozen=True, slots=True)
class Kill:
    """What was killed: "worker", "all workers" or "gateway", when, when it had recovered (seconds of the run), and how
    many processes."""

    what: str
    at: float
    recovered: float
    count: int


@dataclass(frozen=True, slots=True)
class Observed:
    """A run: its calls, the kills, the accounts of the temporary service, and how long it took in seconds."""

    calls: Sequence[Call]
    kills: Sequence[Kill]
    accounts: Accounts
    seconds: float


def document(
    observed: Observed,
    promises: Sequence[Promise],
    price: Callable[[Call], int],
    setup: str,
    *,
    answers_outlive: bool,
) -> dict[str, Any]:
    """The content of the file: what ran, kills, promises, and a row for each call."""
    return {
        "setup": setup,
        "answers_outlive_the_gateway": answers_outlive,
        "seconds": round(observed.seconds, 1),
        "kills": [
            {
                "what": each.what,
                "processes": each.count,
                "at": round(each.at, 2),
                "recovered_seconds": round(each.recovered - each.at, 2),
            }
            for each in observed.kills
        ],
        "promises": [{"name": each.name, "kept": each.kept, "figure": each.figure} for each in promises],
        "calls": [_row(call, observed.accounts, price) for call in observed.calls],
    }


def _row(call: Call, accounts: Accounts, price: Callable[[Call], int]) -> dict[str, Any]:
    attempts = call.attempts
    return {
        "request_id": call.request_id,
        "capability": call.capability,
        "images": len(call.images),
        "begun": round(attempts[0].begun, 3) if attempts else None,
        "ended": round(attempts[-1].ended, 3) if attempts else None,
        "results": [each.result for each in attempts],
        "problem": "" if call.delivered and attempts[-1].result == "ok" else _last_detail(call),
        "answers": accounts.answers.get(call.request_id, 0),
        "read": call.read,
        "price": price(call) if call.delivered else 0,
        "charged": list(accounts.charged.get(call.request_id, ())),
    }


def _last_detail(call: Call) -> str:
    return call.attempts[-1].detail if call.attempts else "not sent"


def facts(found: Mapping[str, Any]) -> dict[str, Any]:
    """The figures of the page."""
    rows = found["calls"]
    return {
        "setup": found["setup"],
        "seconds": found["seconds"],
        "kills": len(found["kills"]),
        "calls": len(rows),
        "answered": sum(bool(row["answers"]) for row in rows),
        "repeated": sum(len(row["results"]) > 1 for row in rows),
        "units_expected": sum(row["price"] for row in rows),
        "units_in_ledger": sum(sum(row["charged"]) for row in rows),
        "slowest_recovery": max((each["recovered_seconds"] for each in found["kills"]), default=0.0),
    }


def contradictions(found: Mapping[str, Any], state: str) -> Iterator[str]:
    """What the rows of the file say against its promises, or against the state of the part. Raises KeyError, TypeError
    and ValueError for a malformed file."""
    kept = {each["name"]: each["kept"] for each in found["promises"]}
    rows = found["calls"]
    outlive = found["answers_outlive_the_gateway"]
    if (state == "passed") != all(kept.values()) or not kept:
        yield f"{FILE}: its promises are not those of a part that has {state}"
    if state != "passed":
        return
    if not rows or not found["kills"]:
        yield f"{FILE}: a run without calls or without kills proves nothing"
    for row in rows:
        where = f"{FILE}: call {row['request_id']}"
        payments = len(row["charged"])
        broken_off = "error" in row["results"]
        if row["answers"] < 1 or "wrong" in row["results"]:
            yield f"{where} has no right answer"
        if payments > max(1, row["answers"]) and (outlive or not broken_off):
            yield f"{where} was paid for {payments} times, and answered {row['answers']} times"
        if (row["charged"] or [0])[-1] != row["price"]:
            yield f"{where} costs {row['price']} units, and {row['charged']} are in the ledger"
