"""cuDNN's way of search is chosen by timing, on a clock of our own; what the GPU's parts read is read on this CPU."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from inkgate.engines import registry
from inkgate.engines.imaging import decode
from inkgate.engines.networks import NetworkFactory
from inkgate.engines.runtimes import cuda, onnx
from inkgate.engines.text import batched, buckets, build, profiles
from inkgate.engines.text.engine import EngineComponents
from inkgate.engines.text.orient import OrientationClassifier

SHAPES = ((1, 4), (2, 4), (3, 4))
SAMPLE = Path(__file__).parents[4] / "service" / "samples" / "general.jpg"


class Card:
    """A device on which a shape costs seconds when it is first met, and others each time after."""

    def __init__(self, **costs: tuple[float, float]) -> None:
        self.costs, self.now = costs, 0.0
        self.opened: list[str] = []
        self.runs = Counter[str]()

    def open(self, search: str) -> "Network":
        self.opened.append(search)
        return Network(self, search)

    def choose(self, *, warmed: bool) -> str:
        return cuda.open_with_fastest_search(self.open, SHAPES, warmed=warmed, clock=lambda: self.now).search


class Network:
    def __init__(self, card: Card, search: str) -> None:
        self.card, self.search, self.met = card, search, set[tuple[int, ...]]()

    def __call__(self, batch: np.ndarray) -> None:
        first, later = self.card.costs[self.search]
        self.card.now += later if batch.shape in self.met else first
        self.card.runs[self.search] += 1
        self.met.add(batch.shape)


def test_buckets_take_the_way_that_is_fast_once_warm_and_pages_the_one_that_is_fast_on_new_shapes() -> None:
    costs = {"HEURISTIC": (0.002, 0.002), "DEFAULT": (0.002, 0.1), "EXHAUSTIVE": (0.6, 0.001)}
    assert Card(**costs).choose(warmed=True) == "EXHAUSTIVE"
    assert Card(**costs).choose(warmed=False) == "HEURISTIC"
    costs["DEFAULT"] = (0.001, 0.0015)
    assert Card(**costs).choose(warmed=False) == "DEFAULT"


def test_a_slow_way_is_given_up() -> None:
    card = Card(HEURISTIC=(0.1, 0.1), DEFAULT=(50.0, 50.0), EXHAUSTIVE=(30.0, 0.05))
    assert card.choose(warmed=True) == "HEURISTIC"
    assert set(card.opened) == set(cuda.SEARCHES)
    assert card.runs["DEFAULT"] == card.runs["EXHAUSTIVE"] == 3  # one shape each


def test_a_card_that_is_slow_every_way_still_gets_one() -> None:
    assert Card(**dict.fromkeys(cuda.SEARCHES, (99.0, 99.0))).choose(warmed=False) == "HEURISTIC"


@pytest.fixture(scope="module")
def gpu() -> EngineComponents:
    """What an engine on a GPU is made of, on the CPU; buckets are made narrow, or it would take a minute."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(batched.BatchedRecogniser, "warmup", lambda self: None)
        networks = NetworkFactory(onnx.OnnxRuntime())
        orienter = OrientationClassifier(networks.network(profiles.ORIENTER))
        return build.build_gpu_components(networks, profiles.PROFILES["balanced"], orienter)


def test_lines_are_those_of_the_accurate_recogniser(gpu: EngineComponents, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(buckets, "BATCH_PIXEL_BUDGET", 640)
    networks = NetworkFactory(onnx.OnnxRuntime())
    accurate = build.build_cpu_components(networks, profiles.PROFILES["balanced"], gpu.orienter).accurate_recogniser
    page = decode(SAMPLE.read_bytes(), 10_000_000)
    crops = [page[50:112, 280:620], page[340:382, 66:730], page[150:196, 66:210]]
    alone = [text.replace(" ", "") for text, _ in accurate(crops)]
    assert [text.replace(" ", "") for text, _ in gpu.read(crops)] == alone
    assert alone[0] == "图书馆开放通知"
    assert gpu.read is gpu.orientation_probe is gpu.accurate_recogniser  # no line goes past the buckets


def test_a_gpu_that_does_not_load_is_said_to_be_a_cpu(monkeypatch, caplog) -> None:
    monkeypatch.setattr(onnx, "device", lambda: "cuda")  # as a build for CUDA on a machine without a driver has it
    engine = registry.open_text_engine("onnx", "fast", 1, None)
    assert engine.info.device == "cpu"
    assert "CUDA did not load" in caplog.text
    engine.close()
