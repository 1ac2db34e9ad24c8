"""What Java clients with BouncyCastle send and expect (vectors/bouncycastle.json, made by vectors/make.sh)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from inkgate.service.sealed import keys, open_request, seal_answer, sm2
from tests.unit.sealed import oracle

VECTORS: dict[str, Any] = json.loads((Path(__file__).parent / "vectors" / "bouncycastle.json").read_text("utf-8"))
PRIVATE = bytes.fromhex(VECTORS["private_key_hex"])


def test_public_key_has_javas_form():
    assert keys.public_of(PRIVATE) == VECTORS["public_key"]


@pytest.mark.parametrize("vector", VECTORS["requests"], ids=lambda vector: vector["note"])
def test_requests_open(provider: sm2.Provider, vector: dict[str, str]):
    request = open_request(oracle.body(vector), PRIVATE, provider)  # the note beside the fields is ignored
    assert request.plaintext.decode() == VECTORS["body"]
    assert request.sm4_key.decode() == VECTORS["sm4_key"]
    assert request.mac_key.decode() == VECTORS["hash_key"]


def test_answers_are_the_same_bytes():
    request = open_request(oracle.body(VECTORS["requests"][0]), PRIVATE)
    assert json.loads(seal_answer(VECTORS["answer"].encode(), request)) == VECTORS["sealed_answer"]
