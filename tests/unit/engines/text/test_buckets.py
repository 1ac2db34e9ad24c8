"""Buckets hold every line once, in few shapes, within the budget; reading in batches changes no character."""

from pathlib import Path

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from engines.imaging import decode
from engines.manifest import locate
from engines.runtimes.onnx import OnnxNetwork
from engines.text.batched import BatchedRecogniser
from engines.text.buckets import BUDGET, WIDTHS, plan, size
from engines.text.recognise import HEIGHT, MAX_WIDTH, Recogniser, load_charset

SAMPLE = Path(__file__).parents[4] / "service" / "samples" / "general.jpg"


@given(st.lists(st.integers(1, MAX_WIDTH), max_size=80))
def test_each_line_once_in_the_narrowest_bucket(widths: list[int]) -> None:
    batches = plan(widths)
    assert sorted(member for batch in batches for member in batch.members) == list(range(len(widths)))
    for batch in batches:
        assert 0 < len(batch.members) <= size(batch.width)
        assert batch.width * size(batch.width) <= max(BUDGET, batch.width)
        narrower = max((width for width in WIDTHS if width < batch.width), default=0)
        assert all(narrower < widths[member] <= batch.width for member in batch.members)


def test_lines_read_in_batches_are_those_read_alone() -> None:
    page = decode(SAMPLE.read_bytes(), 10_000_000)
    crops = [page[50:112, 280:620], page[340:382, 66:730], page[150:196, 66:210], page[275:320, 66:645]]
    shapes = set()
    network = OnnxNetwork(locate("ppocrv6-tiny-rec"))

    def watched(batch: np.ndarray) -> np.ndarray:
        shapes.add(batch.shape)
        return network(batch)

    alone = Recogniser(network, load_charset(locate("ppocrv6-tiny-charset")))
    batched = BatchedRecogniser(Recogniser(watched, load_charset(locate("ppocrv6-tiny-charset"))))
    # The zeros that fill a bucket are part of what the network sees: blanks between words may come and go.
    together, apart = ([text.replace(" ", "") for text, _ in read(crops)] for read in (batched, alone))
    assert together == apart
    assert all(shape == (size(shape[3]), 3, HEIGHT, shape[3]) and shape[3] in WIDTHS for shape in shapes)
    assert batched([]) == []


def test_warming_up_runs_every_bucket() -> None:
    shapes = []

    def watched(batch: np.ndarray) -> np.ndarray:
        shapes.append(batch.shape)
        return np.zeros((batch.shape[0], 1, 2), np.float32)

    BatchedRecogniser(Recogniser(watched, ["", "a"])).warmup()
    assert [shape[3] for shape in shapes] == list(WIDTHS)
