"""Fixtures shared by all tests, and how the tests are scheduled. Real servers live in files of their own."""

from __future__ import annotations

import pytest

from tests.schedule import ONE_WORKER, ONE_WORKER_FIXTURES, SERIAL, SLOW, listed

pytest_plugins = ["tests.postgres", "tests.sandbox", "tests.valkey"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark tests by the tables of tests/schedule.py."""
    for item in items:
        node = item.nodeid.partition("[")[0]
        if any(listed(node, entry) for entry in SERIAL):
            item.add_marker("serial")
        if any(listed(node, entry) for entry in SLOW):
            item.add_marker("slow")
        group = next((entry for entry in ONE_WORKER if listed(node, entry)), None) or next(
            (name for name in ONE_WORKER_FIXTURES if name in getattr(item, "fixturenames", ())), None
        )
        if group:
            item.add_marker(pytest.mark.xdist_group(group))
