"""Fuzz every target with atheris (libFuzzer), each in a process of its own, under limits of time and memory.

    python -m tests.fuzz.run --seconds 60            all targets together, for about a minute
    python -m tests.fuzz.run --inputs 2000000        so many inputs in all, fast targets taking the larger share
    python -m tests.fuzz.run --target picture … one target

Inputs that fail are kept in .fuzz/<target>/; put the smallest into corpus/ with the fix. Ends with a table, and with
status 1 when anything failed.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from tests.fuzz.targets import TARGETS

CORPUS = Path(__file__).parent / "corpus"
FINDINGS = Path(".fuzz")
LIMITS = ["-timeout=5", "-rss_limit_mb=2048", "-max_len=4096", "-verbosity=1", "-print_final_stats=1"]
# Share of the inputs; decoding and SM2 take long, text does not.
SLOW = {"picture": 0.03, "image_decoder": 0.03, "envelope": 0.03}


@dataclass
class Outcome:
    name: str
    inputs: int
    seconds: int
    peak_mb: int
    failed: bool


def drive(name: str, bound: str) -> Outcome:
    found = FINDINGS / name
    found.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        work = [folder, str(CORPUS / name)]
        ran = _child(name, [bound, f"-artifact_prefix={found}/", *LIMITS, *work])
    said = ran.stderr
    outcome = Outcome(name, _stat(said, "number_of_executed_units"), _took(said), _stat(said, "peak_rss_mb"), False)
    if ran.returncode:
        outcome.failed = True
        print(said[-4000:], file=sys.stderr)
    return outcome


def _child(name: str, arguments: list[str]) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tests.fuzz.child", name, *arguments]
    return subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)


def _stat(said: str, name: str) -> int:
    match = re.search(rf"stat::{name}:\s+(\d+)", said)
    return int(match[1]) if match else 0


def _took(said: str) -> int:
    match = re.search(r"Done \d+ runs in (\d+) second", said)
    return int(match[1]) if match else 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--inputs", type=int)
    parser.add_argument("--target", choices=sorted(TARGETS), action="append")
    options = parser.parse_args()
    names = options.target or list(TARGETS)
    outcomes = []
    for name in names:
        bound = f"-max_total_time={max(1, options.seconds // len(names))}"
        if options.inputs:
            fast = (1 - sum(SLOW.get(n, 0) for n in names)) / max(1, sum(n not in SLOW for n in names))
            bound = f"-runs={int(options.inputs * SLOW.get(name, fast)) + 1}"
        outcomes.append(drive(name, bound))
        last = outcomes[-1]
        verdict = "FAILED" if last.failed else "clean"
        print(f"{name:16} {last.inputs:>9,} inputs {last.seconds:>5} s {last.peak_mb:>5} MiB  {verdict}", flush=True)
    print(f"{'all':16} {sum(o.inputs for o in outcomes):>9,} inputs {sum(o.seconds for o in outcomes):>5} s")
    return int(any(outcome.failed for outcome in outcomes))


if __name__ == "__main__":
    sys.exit(main())
