"""One installation before one cloud for the tests that need no settings of their own: starting both takes long."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.takeover.plan import Plan
from tests.takeover.stage import Stage, staged


@pytest.fixture(scope="session")
def shared_stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with staged(tmp_path_factory.mktemp("takeover")) as made:
        yield made


@pytest.fixture
def stage(shared_stage: Stage) -> Iterator[Stage]:
    """The shared installation; its cloud plants nothing before and after the test."""
    shared_stage.upstream.plan = Plan()
    yield shared_stage
    shared_stage.upstream.plan = Plan()
