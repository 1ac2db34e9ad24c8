"""Runs the tests of a module on asyncio's event loop and on uvloop: import `event_loop_policy` there."""

from __future__ import annotations

import asyncio

import pytest
import uvloop


@pytest.fixture(
    params=[asyncio.DefaultEventLoopPolicy, uvloop.EventLoopPolicy], ids=["asyncio", "uvloop"], scope="module"
)
def event_loop_policy(request: pytest.FixtureRequest) -> asyncio.AbstractEventLoopPolicy:
    """Replaces the fixture of pytest-asyncio."""
    return request.param()
