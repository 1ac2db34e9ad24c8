"""Floors of the drawn cases of reported faults, by kind."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from benchmarks.accuracy.field.cases import Kind
from benchmarks.accuracy.field.drawing import fonts_installed
from benchmarks.accuracy.field.run import draw_cases, run
from benchmarks.accuracy.field.table import kinds
from inkgate.engines.interfaces import Reader
from inkgate.engines.registry import open_reader

# A checkout without the fonts can be worked on; where changes are judged they are installed (.ci/run).
pytestmark = pytest.mark.skipif(
    not fonts_installed() and "CI" not in os.environ, reason="the cases are drawn with Debian's fonts-noto-cjk"
)


@pytest.fixture(scope="module")
def reader() -> Iterator[Reader]:
    reader = open_reader("onnx", "balanced", 1, None, 100_000_000)
    yield reader
    reader.close()


@pytest.mark.parametrize("kind", kinds(), ids=lambda kind: kind.name)
def test_floor(reader: Reader, kind: Kind) -> None:
    faults = run(reader, draw_cases(kind))
    assert faults.count("") >= kind.floor * len(faults), [fault for fault in faults if fault]
