"""Buckets hold every line once, in few shapes, within the budget; reading in batches changes no character."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from inkgate.engines.imaging import decode
from inkgate.engines.manifest import find_model_file
from inkgate.engines.runtimes.onnx import OnnxArgmaxNetwork, OnnxNetwork
from inkgate.engines.text.batched import BatchedRecogniser
from inkgate.engines.text.buckets import BATCH_PIXEL_BUDGET, BUCKET_SHAPES, BUCKET_WIDTHS, plan_batches, rows_per_batch
from inkgate.engines.text.recognise import LINE_HEIGHT_PIXELS, MAX_WIDTH, Recogniser, load_charset

SAMPLE = Path(__file__).parents[4] / "service" / "samples" / "general.jpg"
CHARSET = load_charset(find_model_file("ppocrv6-tiny-charset"))


@pytest.fixture(scope="module")
def crops() -> list[np.ndarray]:
    page = decode(SAMPLE.read_bytes(), 10_000_000)
    return [page[50:112, 280:620], page[340:382, 66:730], page[150:196, 66:210], page[275:320, 66:645]]


@pytest.fixture(scope="module")
def network() -> OnnxArgmaxNetwork:
    return OnnxArgmaxNetwork(find_model_file("ppocrv6-tiny-rec"))


@given(st.lists(st.integers(1, MAX_WIDTH), max_size=80))
def test_each_line_once_in_the_narrowest_bucket(widths: list[int]) -> None:
    batches = plan_batches(widths)
    assert sorted(member for batch in batches for member in batch.members) == list(range(len(widths)))
    for batch in batches:
        assert 0 < len(batch.members) <= rows_per_batch(batch.width)
        assert batch.width * rows_per_batch(batch.width) <= max(BATCH_PIXEL_BUDGET, batch.width)
        narrower = max((width for width in BUCKET_WIDTHS if width < batch.width), default=0)
        assert all(narrower < widths[member] <= batch.width for member in batch.members)


def watched(network: Callable, shapes: list[tuple[int, ...]]) -> Callable:
    def run(batch: np.ndarray) -> object:
        shapes.append(batch.shape)
        return network(batch)

    return run


def test_batched_lines_equal_lines_read_one_by_one(crops: list[np.ndarray], network: OnnxArgmaxNetwork) -> None:
    shapes: list[tuple[int, ...]] = []
    alone = Recogniser(OnnxNetwork(find_model_file("ppocrv6-tiny-rec")), CHARSET)
    batched = BatchedRecogniser(watched(network, shapes), CHARSET)
    # The zeros that fill a bucket are part of what the network sees: blanks between words may come and go.
    together, apart = ([text.replace(" ", "") for text, _ in read(crops)] for read in (batched, alone))
    assert together == apart
    assert set(shapes) <= set(BUCKET_SHAPES)
    assert batched([]) == []


def test_threads_share_batches_and_get_their_own_lines(crops: list[np.ndarray], network: OnnxArgmaxNetwork) -> None:
    shapes: list[tuple[int, ...]] = []
    alone = BatchedRecogniser(network, CHARSET)
    apart = [alone([crop]) for crop in crops]
    together = BatchedRecogniser(watched(network, shapes), CHARSET)
    meet = Barrier(8)

    def caller(number: int) -> list[tuple[str, float]]:
        meet.wait()
        return together([crops[number % 4]])

    with ThreadPoolExecutor(8) as threads:
        found = list(threads.map(caller, range(8)))
    assert [[text for text, _ in each] for each in found] == [[text for text, _ in apart[at % 4]] for at in range(8)]
    # The first request went alone, the other seven as at most one batch for each of the four lengths.
    assert len(shapes) < 8
    assert set(shapes) <= set(BUCKET_SHAPES)


def test_warming_up_runs_every_bucket() -> None:
    shapes: list[tuple[int, ...]] = []
    nothing = (np.zeros((1, 1), np.int64), np.zeros((1, 1), np.float32))
    BatchedRecogniser(watched(lambda batch: nothing, shapes), ["", "a"]).warmup()
    assert (
        tuple(shapes)
        == BUCKET_SHAPES
        == tuple((rows_per_batch(width), 3, LINE_HEIGHT_PIXELS, width) for width in BUCKET_WIDTHS)
    )
