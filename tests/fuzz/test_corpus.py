"""Regression run over corpus/: inputs that reached new code, and every input that failed once."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from tests.fuzz.targets import TARGETS

CORPUS = Path(__file__).parent / "corpus"
SECONDS = 1.0  # of CPU for one input; none in the corpus needs a tenth of it


@pytest.mark.parametrize("name", TARGETS)
def test_corpus(name: str):
    files = sorted((CORPUS / name).iterdir())
    assert files, "a target without inputs is not tested"
    for file in files:
        began = time.process_time()
        try:
            TARGETS[name](file.read_bytes())
        except Exception as error:
            raise AssertionError(f"{name} fails on {file.name}: {error!r}") from error
        assert time.process_time() - began < SECONDS, f"{name} is slow on {file.name}"


def test_no_inputs_without_a_target():
    assert {folder.name for folder in CORPUS.iterdir()} == set(TARGETS)
