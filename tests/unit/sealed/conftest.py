"""A key pair, and every provider in turn."""

from __future__ import annotations

import pytest

from inkgate.service.sealed import keys, sm2

PRIVATE = bytes.fromhex("6b1f0c9d2e47a85310fbc4d7983e62a5c1409b7ed852f3461a0e9d7b35c82f14")
POINT = keys.decode_public(keys.public_of(PRIVATE))


@pytest.fixture(params=[name for name in sm2.NAMES if name != "auto"])
def provider(request: pytest.FixtureRequest) -> sm2.Provider:
    return sm2.select_provider(request.param)
