"""Request bodies of many shapes through a real gateway: memory stays bounded and the event loop stays responsive.

The short form of `python -m benchmarks.bodies`, with bodies of 24 MiB. The latency bound is relaxed, because tests
share their machine; a parser without a bound takes seconds even so.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from benchmarks.bodies.run import MAX_LIVEZ_MS, MIB, Gateway, plan
from benchmarks.sandbox import stub_service
from inkgate.service.contract.capabilities import Capability

SIZE = 24 * MIB
LIVEZ_TOLERANCE = 3  # multiple of the latency bound
REFUSED, UNSEALABLE, READ = 400004, 40017, 0
CODES = {"one long string of emoji": 400009}


@pytest.fixture(scope="module")
def gateway() -> Iterator[Gateway]:
    with stub_service() as (keys, server):
        yield Gateway(keys, server.pid)


def expected(shape: str, form: str, capability: Capability) -> int:
    """The status code. Long strings are accepted and checked one by one; any other large structure is refused."""
    if form == "sealed":
        return UNSEALABLE
    if "images" in shape or shape == "base64 of no image":
        return READ
    if "long string" not in shape or shape == "quotes in a long string":
        return REFUSED
    return 400006 if capability.single else CODES.get(shape, READ)


@pytest.mark.parametrize(("shape", "form", "capability"), plan(), ids=lambda value: getattr(value, "name", value))
def test_memory_and_latency_stay_bounded(gateway: Gateway, shape: str, form: str, capability: Capability):
    run = gateway.measure(shape, form, SIZE, capability)
    assert run.code == expected(shape, form, capability)
    assert run.within_bound, f"{run.peak_mib} MiB for a body of {run.body_mib} MiB"
    assert run.livez_ms <= LIVEZ_TOLERANCE * MAX_LIVEZ_MS
