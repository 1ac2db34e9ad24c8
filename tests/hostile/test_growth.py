"""Bodies of every shape through a real gateway: its memory stays within bounds, and others are served meanwhile.

The short form of `python -m benchmarks.bodies`, with bodies of 24 MiB. Time is judged with much to spare, since tests
share their machine; what has no bound on what it builds takes seconds even so.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from benchmarks.bodies.trial import LIVEZ_MS, MIB, Gateway, plan
from benchmarks.sandbox import stub_service
from inkgate.service.contract.capabilities import Capability

SIZE = 24 * MIB
SPARE = 3  # times the bound of /livez
REFUSED, UNSEALABLE, READ = 400004, 40017, 0
CODES = {"one long string of emoji": 400009}


@pytest.fixture(scope="module")
def gateway() -> Iterator[Gateway]:
    with stub_service() as (keys, server):
        yield Gateway(keys, server.pid)


def expected(shape: str, form: str, capability: Capability) -> int:
    """Strings are read whatever is in them, down to each one's own fault; anything else in such amounts is not."""
    if form == "sealed":
        return UNSEALABLE
    if "images" in shape or shape == "base64 of no image":
        return READ
    if "long string" not in shape or shape == "quotes in a long string":
        return REFUSED
    return 400006 if capability.single else CODES.get(shape, READ)


@pytest.mark.parametrize(("shape", "form", "capability"), plan(), ids=lambda each: getattr(each, "name", each))
def test_no_body_grows(gateway: Gateway, shape: str, form: str, capability: Capability):
    done = gateway.trial(shape, form, SIZE, capability)
    assert done.code == expected(shape, form, capability)
    assert done.within, f"{done.peak_mib} MiB for a body of {done.body_mib} MiB"
    assert done.livez_ms <= SPARE * LIVEZ_MS
