"""Checks the guarantees of the service for a chaos run; reports them as Markdown, JSON and a plot of the time line."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from inkgate.service.attest.chaos import verdict
from inkgate.service.attest.chaos.verdict import Accounts, Attempt, Call, Promise
from tests.crash.chaos.faults import InjectedFault

SETTLING = 5.0  # seconds after a heal that still belong to its kill window, and the longest recovery allowed
AVAILABILITY = 0.999
UNJUDGED = 0.01  # share of attempts outside the windows that may be left out before the run is void
_COLOURS = {"ok": "#2e7d32", "partial": "#f9a825", "refused": "#1565c0", "error": "#c62828", "wrong": "#000000"}


@dataclass(frozen=True, slots=True)
class Observations:
    """Observations besides the calls: the units of each payment and the number of received answers by request id, and
    ledger rows that are dated outside the run."""

    charged: Mapping[str, Sequence[int]]
    answers: Mapping[str, int]
    findings: Sequence[str]
    machine: str
    starved: Callable[[float, float], bool]
    misdated: Sequence[str] = ()


def judge(calls: Sequence[Call], injected: Sequence[InjectedFault], seen: Observations) -> list[Promise]:
    attempts = [attempt for call in calls for attempt in call.attempts]
    excused = [fault for fault in injected if fault.excused]
    outside = [attempt for attempt in attempts if not _in_window(attempt, excused)]
    unjudged = [attempt for attempt in outside if _machines(attempt, seen)]
    good = sum(attempt.result == "ok" for attempt in outside)
    share = good / (len(outside) - len(unjudged)) if good else 0.0
    slow = [(fault.name, seconds) for fault, seconds in recoveries(calls, injected, seen) if seconds > SETTLING]
    return [
        *verdict.judge(calls, Accounts(seen.charged, seen.answers, seen.findings), _price),
        Promise("nothing is dated by a wrong clock", not seen.misdated, "; ".join(seen.misdated) or "nothing"),
        Promise(
            f"available {AVAILABILITY:.1%} outside the kill windows",
            share >= AVAILABILITY,
            f"{good} of {len(outside) - len(unjudged)} = {share:.3%}",
        ),
        Promise(f"recovered within {SETTLING:g} s of each heal", not slow, f"{slow}" if slow else "all"),
        Promise(
            "this machine let it be judged",
            len(unjudged) <= UNJUDGED * len(outside),
            f"{len(unjudged)} failures outside the windows left out for want of CPU; {seen.machine}",
        ),
    ]


def _machines(attempt: Attempt, seen: Observations) -> bool:
    """Whether an attempt failed while processes stood in line for a CPU: nothing can be said of the product then."""
    return attempt.result in ("refused", "error") and seen.starved(attempt.begun, attempt.ended)


def recoveries(
    calls: Sequence[Call], injected: Sequence[InjectedFault], seen: Observations
) -> list[tuple[InjectedFault, float]]:
    """Seconds from each heal to the beginning of the last attempt that failed after it."""
    attempts = [attempt for call in calls for attempt in call.attempts if not _machines(attempt, seen)]
    found = []
    for fault in injected:
        # What the next fault may have hit counts for that one.
        horizon = min((other.struck for other in injected if other.struck > fault.struck), default=float("inf"))
        after = [attempt for attempt in attempts if attempt.begun >= fault.healed and attempt.ended < horizon]
        failed = [attempt.begun for attempt in after if attempt.result != "ok"]
        found.append((fault, max(failed) - fault.healed if failed else 0.0))
    return found


def table(
    calls: Sequence[Call], injected: Sequence[InjectedFault], seen: Observations, promises: Sequence[Promise]
) -> str:
    """The report in Markdown."""
    lines = ["| fault | struck at | healed at | last failure after healing | attempts in its window |", "|-|-|-|-|-|"]
    attempts = [attempt for call in calls for attempt in call.attempts]
    for fault, seconds in recoveries(calls, injected, seen):
        inside = Counter(attempt.result for attempt in attempts if _in_window(attempt, [fault]))
        counts = ", ".join(f"{count} {result}" for result, count in sorted(inside.items()))
        lines.append(f"| {fault.name} | {fault.struck:.1f} s | {fault.healed:.1f} s | {seconds:.1f} s | {counts} |")
    lines += ["", "| promise | kept | figure |", "|-|-|-|"]
    lines += [f"| {each.name} | {'yes' if each.kept else '**NO**'} | {each.figure} |" for each in promises]
    return "\n".join(lines) + "\n"


def write(
    folder: Path,
    calls: Sequence[Call],
    injected: Sequence[InjectedFault],
    seen: Observations,
    promises: Sequence[Promise],
) -> None:
    """chaos.md, chaos.json and chaos.svg."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "chaos.md").write_text(table(calls, injected, seen, promises), encoding="utf-8")
    (folder / "chaos.svg").write_text(_plot(calls, injected), encoding="utf-8")
    attempts = [
        {
            "call": call.request_id,
            "capability": call.capability,
            "images": len(call.images),
            "begun": round(a.begun, 3),
            "ended": round(a.ended, 3),
            "result": a.result,
            "detail": a.detail,
        }
        for call in calls
        for a in call.attempts
    ]
    facts = {
        "promises": [{"name": p.name, "kept": p.kept, "figure": p.figure} for p in promises],
        "strikes": [{"name": s.name, "struck": s.struck, "healed": s.healed} for s in injected],
        "attempts": attempts,
    }
    (folder / "chaos.json").write_text(json.dumps(facts, ensure_ascii=False, indent=1), encoding="utf-8")


def _price(call: Call) -> int:
    """Units that a delivered answer costs: the licence is free, an image that failed by our fault as well."""
    return 0 if call.capability == "licence" else call.read


def _in_window(attempt: Attempt, injected: Sequence[InjectedFault]) -> bool:
    return any(attempt.begun < fault.healed + SETTLING and attempt.ended > fault.struck for fault in injected)


def _plot(calls: Sequence[Call], injected: Sequence[InjectedFault]) -> str:
    """Attempts as dots (time of beginning, seconds taken), faults as grey bands."""
    attempts = [attempt for call in calls for attempt in call.attempts]
    end = max((attempt.ended for attempt in attempts), default=1.0)
    highest = max((attempt.ended - attempt.begun for attempt in attempts), default=1.0)
    width, height, left, top = max(1200, round(12 * end)), 360, 50, 110

    def x(moment: float) -> float:
        return left + (width - left - 10) * moment / end

    def y(seconds: float) -> float:
        return top + (height - top - 30) * (1 - seconds / highest)

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif" '
        'font-size="11"><rect width="100%" height="100%" fill="#ffffff"/>'
    ]
    for fault in injected:
        span = max(2.0, x(fault.healed) - x(fault.struck))
        parts.append(
            f'<rect x="{x(fault.struck):.1f}" y="{top}" width="{span:.1f}" height="{height - top - 30}" '
            'fill="#dddddd"/>'
        )
        parts.append(
            f'<text transform="translate({x(fault.struck) + 4:.1f},{top - 4}) rotate(-40)">{fault.name}</text>'
        )
    for attempt in attempts:
        parts.append(
            f'<circle cx="{x(attempt.begun):.1f}" cy="{y(attempt.ended - attempt.begun):.1f}" r="2.2" '
            f'fill="{_COLOURS[attempt.result]}"/>'
        )
    parts += [f'<text x="{x(second):.1f}" y="{height - 12}">{second} s</text>' for second in range(0, int(end) + 1, 10)]
    parts.append(f'<text x="4" y="{top + 8}">{highest:.1f} s</text><text x="4" y="{height - 32}">0 s</text>')
    legend = " ".join(f'<tspan fill="{colour}">● {name}</tspan>' for name, colour in _COLOURS.items())
    parts.append(f'<text x="{width - 330}" y="16">{legend}</text></svg>')
    return "\n".join(parts)
