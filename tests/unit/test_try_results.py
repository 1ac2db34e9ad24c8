"""Results of the try page in memory: bounded in number, bytes and time."""

from __future__ import annotations

import asyncio

import pytest

from inkgate.service.console import try_results
from inkgate.service.console.try_results import MAX_BYTES, MAX_RESULTS, TryResults


async def test_the_oldest_results_go_first_by_number() -> None:
    results = TryResults()
    for number in range(MAX_RESULTS + 3):
        results.keep(str(number), b"x")
    assert [results.get(str(number)) for number in range(4)] == [None, None, None, b"x"]
    assert results.get(str(MAX_RESULTS + 2)) == b"x"


async def test_the_oldest_results_go_first_by_bytes() -> None:
    results, third = TryResults(), MAX_BYTES // 3
    for name in "abcd":
        results.keep(name, bytes(third))
    assert [results.get(name) is not None for name in "abcd"] == [False, True, True, True]
    results.keep("whole", bytes(MAX_BYTES))
    assert [name for name in ("b", "c", "d", "whole") if results.get(name)] == ["whole"]
    results.keep("larger", bytes(MAX_BYTES + 1))
    assert results.get("larger") is None and results.get("whole") is not None


async def test_a_result_goes_after_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(try_results, "KEPT_SECONDS", 0.05)
    results = TryResults()
    results.keep("a", bytes(MAX_BYTES))
    await asyncio.sleep(0.1)
    assert results.get("a") is None
    results.keep("b", bytes(MAX_BYTES))  # the bytes of the first are free again
    assert results.get("b") is not None
