"""Unit tests start no server: a test that requests one fails with a message about the right folder."""

from __future__ import annotations

from typing import NoReturn

import pytest


def _refuse() -> NoReturn:
    pytest.fail("tests/unit starts no server and no process of the product: move this test to tests/integration")


@pytest.fixture(scope="session")
def postgres() -> None:
    _refuse()


@pytest.fixture
def own_postgres() -> None:
    _refuse()


@pytest.fixture(scope="session")
def valkey_server() -> None:
    _refuse()


@pytest.fixture
def own_valkey() -> None:
    _refuse()


@pytest.fixture(scope="session")
def sandbox() -> None:
    _refuse()
