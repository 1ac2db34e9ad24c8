"""Runs the cases of the contract against an installation over HTTP, as a client does."""

from __future__ import annotations

import json
import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from inkgate.service.attest.contract_cases import Case, Keys, cases, element_of
from inkgate.service.attest.evidence import Part, json_file
from inkgate.service.attest.sealed_cases import sealed_cases
from inkgate.service.contract.capabilities import CAPABILITIES
from inkgate.service.metering.policy import Policy

NAME = "contract"
FILE = "contract.json"
CALL_SECONDS = 60.0  # per request
TOTAL_SECONDS = 300.0  # for all of them; the cases that are left then fail
MAX_ANSWER = 4 * 1024 * 1024  # bytes
RATE_LIMITED, RETRIES, PAUSE_SECONDS = 42900, 5, 1.0


@dataclass(frozen=True, slots=True)
class Result:
    """The outcome of a case; `problem` is "" when it passed."""

    case: Case
    problem: str
    status: int | None
    seconds: float
    answer: Any = field(default=None, repr=False)

    def row(self) -> dict[str, Any]:
        """The result in the file of the part, without the answer."""
        return {
            "case": self.case.name,
            "zh": self.case.zh,
            "en": self.case.en,
            "passed": not self.problem,
            "problem": self.problem,
            "http": self.status,
            "seconds": round(self.seconds, 3),
            "request_id": self.case.headers.get("ctyun-eop-request-id", ""),
        }


@dataclass(frozen=True, slots=True)
class Outcome:
    """All results, and the units that the requests should have used."""

    results: list[Result]
    units: int

    @property
    def elements(self) -> dict[str, Mapping[str, Any]]:
        """The elements of the samples that were read, by capability."""
        found = [each for each in self.results if each.case.name == f"{each.case.capability}.sample"]
        return {each.case.capability: element_of(CAPABILITIES[each.case.capability], each.answer) for each in found}

    @property
    def request_ids(self) -> list[str]:
        found = [each.case.headers.get("ctyun-eop-request-id", "") for each in self.results]
        return [each for each in found if each]


def run(base_url: str, keys: Keys, policy: Policy, clock_window: int, ca: Path | None = None) -> Outcome:
    """Send every case, one after the other. Raises httpx.HTTPError for none of them; OSError for an unusable `ca`,
    ValueError for an app's public key that is none."""
    context = ssl.create_default_context(cafile=ca) if ca is not None else True
    begin, results = time.monotonic(), []
    with httpx.Client(base_url=base_url, timeout=CALL_SECONDS, trust_env=False, verify=context) as client:
        sealed = sealed_cases(keys, policy) if keys.enckey else ()
        for case in (*cases(keys, policy, clock_window), *sealed):
            if time.monotonic() - begin > TOTAL_SECONDS:
                results.append(Result(case, f"not sent: {TOTAL_SECONDS:.0f} s were over", None, 0.0))
                continue
            results.append(_send(client, case))
    return Outcome(results, sum(each.case.units for each in results))


def part(outcome: Outcome, base_url: str, used: int | None) -> Part:
    """The part. `used` is what the ledger says the requests used; None when it was not read."""
    bad = [each.case.name for each in outcome.results if each.problem]
    exact = used == outcome.units
    reasons = [f"{len(bad)} of {len(outcome.results)} cases: {', '.join(bad)}"] if bad else []
    if used is not None and not exact:
        reasons.append(f"the ledger says {used} units, and {outcome.units} are right")
    facts = {
        "base_url": base_url,
        "cases": len(outcome.results),
        "passed": len(outcome.results) - len(bad),
        "sealed": sum(each.case.name.startswith("sealed.") for each in outcome.results),
        "units_expected": outcome.units,
        "units_in_ledger": used,
    }
    document = facts | {"results": [each.row() for each in outcome.results]}
    return Part(NAME, "failed" if reasons else "passed", "; ".join(reasons), facts, {FILE: json_file(document)})


def _send(client: httpx.Client, case: Case) -> Result:
    start = time.monotonic()
    try:
        for attempt in range(RETRIES + 1):
            status, answer = _answer(client, case)
            limited = isinstance(answer, dict) and answer.get("statusCode") == RATE_LIMITED
            if not limited or attempt == RETRIES:
                break
            time.sleep(PAUSE_SECONDS)
    except (httpx.HTTPError, ValueError, RecursionError) as error:
        return Result(case, f"{type(error).__name__}: {error}"[:200], None, time.monotonic() - start)
    problem = case.check(answer)
    if not problem and case.http is not None and status != case.http:
        problem = f"HTTP {status} instead of {case.http}"
    return Result(case, problem, status, time.monotonic() - start, answer)


def _answer(client: httpx.Client, case: Case) -> tuple[int, Any]:
    """Status and JSON of an answer. Raises httpx.HTTPError, and ValueError for one too large or without JSON."""
    with client.stream(case.method, case.path, content=case.body, headers=dict(case.headers)) as response:
        body = bytearray()
        for piece in response.iter_bytes():
            body += piece
            if len(body) > MAX_ANSWER:
                raise ValueError(f"the answer is larger than {MAX_ANSWER:,} bytes")
    return response.status_code, json.loads(bytes(body))
