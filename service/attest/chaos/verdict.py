"""What must hold of a service whose processes were killed: every call answered, and paid for exactly once. Pure.

The chaos run of an evidence pack and the crash tests of the project judge by the same rules.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field


@dataclass(slots=True)
class Attempt:
    """One request on the wire. `result` is ok, wrong, partial, refused or error; times are seconds of the run."""

    begun: float
    ended: float
    result: str
    detail: str = ""


@dataclass(slots=True)
class Call:
    """One request id: what was sent, what was tried, and how many images the delivered answer holds."""

    capability: str
    images: Sequence[bytes] = field(repr=False)
    request_id: str
    attempts: list[Attempt] = field(default_factory=list)
    delivered: bool = False
    read: int = 0


@dataclass(frozen=True, slots=True)
class Promise:
    """One line of the verdict."""

    name: str
    kept: bool
    figure: str


@dataclass(frozen=True, slots=True)
class Accounts:
    """What was observed beside the calls, by request id: the units of each payment in the ledger, and the number of
    answers that were received. `findings` are those of the verification of the ledger."""

    charged: Mapping[str, Sequence[int]]
    answers: Mapping[str, int]
    findings: Sequence[str] = ()


def paid_more_often(accounts: Accounts) -> list[str]:
    """The request ids with more payments than answers: a payment for an answer that the client did not get.

    A client that asks again after an answer pays again, which is right.
    """
    charged, answers = accounts.charged, accounts.answers
    return [key for key, units in charged.items() if len(units) > 1 and len(units) > answers.get(key, 0)]


def judge(
    calls: Sequence[Call], accounts: Accounts, price: Callable[[Call], int], excused: Collection[str] = ()
) -> list[Promise]:
    """The promises on answers and money. `price` are the units that a delivered answer costs. `excused` are request ids
    that may have been charged for an answer that ended with a killed process, where the settings keep answers in its
    memory only."""
    attempts = [attempt for call in calls for attempt in call.attempts]
    wrong = [attempt.detail for attempt in attempts if attempt.result == "wrong"]
    lost = [call for call in calls if not call.delivered]
    again = [key for key, units in accounts.charged.items() if len(units) > 1]
    unpaired = paid_more_often(accounts)
    twice = [key for key in unpaired if key not in excused]
    odd = [
        call for call in calls if call.delivered and price(call) not in (accounts.charged.get(call.request_id) or [0])
    ]
    note = f"; {len(unpaired) - len(twice)} whose answer ended with a killed process" if excused else ""
    return [
        Promise(
            "no wrong or crossed answer",
            not wrong,
            f"{len(wrong)} of {len(attempts)} attempts" + "".join(f"; {each}" for each in wrong[:3]),
        ),
        Promise("every call was answered in the end", not lost, f"{len(lost)} of {len(calls)} without an answer"),
        Promise(
            "nothing charged twice or undelivered",
            not twice,
            f"{len(twice)} request ids paid for more often than answered; {len(again) - len(unpaired)} asked again "
            f"here after an answer had come{note}",
        ),
        Promise("delivered answers cost what they hold", not odd, f"{len(odd)} of {len(calls)} differ"),
        Promise("the ledger verifies", not accounts.findings, "; ".join(accounts.findings[:3]) or "no finding"),
    ]
