"""The limits of sign-ins are those of all processes together: two of them try at once, on both databases."""

from __future__ import annotations

import asyncio
import sys

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from inkgate.service.db import work
from inkgate.service.users import throttle

ATTEMPTS, LIMIT = 15, 20
PROCESS = f"""
import asyncio, sys
from inkgate.service import tables
from inkgate.service.db import engine as engines, work
from inkgate.service.settings import Database
from inkgate.service.users import throttle

async def main():
    engine, allowed = engines.create(Database(url=sys.argv[1])), 0
    for number in range({ATTEMPTS}):
        async with work.unit_of_work(engine, "test") as unit:
            login = f"{{sys.argv[2]}}-{{number}}"
            allowed += await throttle.register(unit, "192.0.2.9", login, ({LIMIT}, {LIMIT})) is None
    await engine.dispose()
    print(allowed)

asyncio.run(main())
"""


async def _allowed(program: str, engine: AsyncEngine, name: str) -> int:
    """How many attempts another process may make."""
    url = engine.url.render_as_string(hide_password=False)
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", program, url, name, stdout=asyncio.subprocess.PIPE
    )
    out, _ = await asyncio.wait_for(process.communicate(), 120)
    assert process.returncode == 0
    return int(out)


async def test_two_processes_share_the_limit(engine: AsyncEngine) -> None:
    counts = await asyncio.gather(*(_allowed(PROCESS, engine, name) for name in ("one", "two")))
    assert sum(counts) == LIMIT, counts
    async with work.unit_of_work(engine, "test") as unit:
        refusal = await throttle.register(unit, "192.0.2.9", "three", (LIMIT, LIMIT))
    assert refusal is not None and refusal.refused == 2 * ATTEMPTS - LIMIT + 1


@pytest.mark.parametrize("limits", [(0, 3), (3, 0)])
async def test_zero_is_no_limit(engine: AsyncEngine, limits: tuple[int, int]) -> None:
    async def register(network: str, login: str) -> throttle.Refusal | None:
        async with work.unit_of_work(engine, "test") as unit:
            return await throttle.register(unit, network, login, limits)

    for number in range(5):
        one_address = limits[0] == 0
        pair = ("192.0.2.9", f"lin-{number}") if one_address else (f"192.0.2.{number}", "lin")
        assert await register(*pair) is None


SETUP_PROCESS = PROCESS.replace(
    f'throttle.register(unit, "192.0.2.9", login, ({LIMIT}, {LIMIT}))', 'throttle.register_setup(unit, "192.0.2.9")'
)


async def test_two_processes_share_the_limit_of_the_set_up_code(engine: AsyncEngine) -> None:
    assert "register_setup" in SETUP_PROCESS
    counts = await asyncio.gather(*(_allowed(SETUP_PROCESS, engine, name) for name in ("one", "two")))
    assert sum(counts) == throttle.MAX_SETUPS_OF_ADDRESS, counts
    async with work.unit_of_work(engine, "test") as unit:
        assert await throttle.register_setup(unit, "192.0.2.9") is not None
        assert await throttle.register_setup(unit, "192.0.2.10") is None
