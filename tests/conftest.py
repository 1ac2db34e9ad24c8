"""Fixtures shared by all tests, and how the tests are scheduled. Real servers live in files of their own."""

from __future__ import annotations

import gc
import os

import pytest
from hypothesis import HealthCheck, settings

from tests.schedule import SERIAL, SLOW, group_of, listed

pytest_plugins = ["tests.postgres", "tests.sandbox", "tests.valkey"]

# Every worker that the tests start would spend seconds of CPU time on compiling where the CPU has AMX.
os.environ.setdefault("INKGATE_ENGINE__BF16", "off")

# Hypothesis judges the time of an example and of its input by the clock, which on a loaded machine says nothing of us.
settings.register_profile("inkgate", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("inkgate")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark tests by the tables of tests/schedule.py."""
    for item in items:
        node = item.nodeid.partition("[")[0]
        if any(listed(node, entry) for entry in SERIAL):
            item.add_marker("serial")
        if any(listed(node, entry) for entry in SLOW):
            item.add_marker("slow")
        group = group_of(node, getattr(item, "fixturenames", ()))
        if group:
            item.add_marker(pytest.mark.xdist_group(group))


def pytest_collection_finish() -> None:
    """Leave what the collection made out of garbage collections: a full one takes 0.2 s with it, and none without."""
    gc.collect()
    gc.freeze()
