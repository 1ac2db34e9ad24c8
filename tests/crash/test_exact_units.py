"""The small form of the run in `exact_units`, through four real gateways; in full size: make exact-units."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.crash import exact_units
from tests.crash.chaos.stack import Stack

CALLS, PACK = 800, 40  # 1,200 units are asked for, 15 x 40 were bought

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stack() -> AsyncIterator[Stack]:
    stack = Stack(gateways=4, hosts=1, stub_ms=0)
    try:
        await stack.start()
        yield stack
    finally:
        await stack.close()


@pytest.mark.parametrize("accident", exact_units.ACCIDENTS)
async def test_every_unit_is_used_once_and_every_answer_is_recorded(stack: Stack, accident: str) -> None:
    run = await exact_units.run(stack, CALLS, PACK, accident)
    assert run.faults(PACK) == []
    assert sum(call.code == 51003 for call in run.calls) > 0
    if accident in ("gateway killed", "clients hang up and repeat"):  # the ledger itself sits out a database's restart
        assert sum(call.sent for call in run.calls) > CALLS, "no client noticed"
