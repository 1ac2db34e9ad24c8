"""The detector's graph rewritten for CPUs gives what the original gives, and is what the tool makes of it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

from inkgate.engines.imaging import decode
from inkgate.engines.manifest import find_model_file, verify_model_file
from inkgate.engines.networks import NetworkFactory
from inkgate.engines.runtimes import cuda
from inkgate.engines.runtimes.interface import CPU, CUDA
from inkgate.engines.runtimes.onnx import OnnxNetwork, OnnxRuntime
from inkgate.engines.text.batched import BatchedRecogniser
from inkgate.engines.text.build import open_line_engine
from inkgate.engines.text.detect import Detector
from inkgate.engines.text.profiles import PROFILES
from tools import rewrite_detector

ORIGINAL, REWRITTEN = "ppocrv6-tiny-det", "ppocrv6-tiny-det-cpu"
SAMPLES = Path(__file__).parents[4] / "service" / "samples"
TOLERANCE = 3e-5  # of a probability: float32 sums in another order, on noise, which has the largest ones
# Of the smallest maps one side or both are 1; the last two are a strip and a page of an A4 scan.
SHAPES = [(32, 32), (32, 96), (64, 32), (96, 160), (320, 224), (736, 64), (64, 1120), (736, 544)]


@pytest.fixture(scope="module")
def networks() -> tuple[OnnxNetwork, OnnxNetwork]:
    return OnnxNetwork(find_model_file(ORIGINAL)), OnnxNetwork(find_model_file(REWRITTEN))


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("spread", [0.0, 1.0, 30.0])
def test_both_graphs_give_the_same_probabilities(
    networks: tuple[OnnxNetwork, OnnxNetwork], shape: tuple[int, int], spread: float
) -> None:
    noise = np.random.default_rng(sum(shape)).standard_normal((2, 3, *shape)) * spread
    original, rewritten = (network(noise.astype(np.float32)) for network in networks)
    assert original.shape == rewritten.shape == (2, 1, *shape)
    assert np.abs(original - rewritten).max() <= TOLERANCE


@pytest.mark.parametrize("name", sorted(path.name for path in SAMPLES.glob("*.jpg")))
@pytest.mark.parametrize("profile", ["fast", "balanced"])
def test_both_find_the_same_lines(networks: tuple[OnnxNetwork, OnnxNetwork], name: str, profile: str) -> None:
    image = decode((SAMPLES / name).read_bytes(), 10_000_000)
    original, rewritten = (Detector(network, PROFILES[profile].page)(image) for network in networks)
    assert len(original) == len(rewritten) > 0
    assert np.allclose(original, rewritten, atol=0.01)  # pixels


def test_the_file_is_what_the_tool_makes() -> None:
    path = find_model_file(REWRITTEN)
    verify_model_file(REWRITTEN, path)
    made = rewrite_detector.rewritten(find_model_file(ORIGINAL))
    stored = onnx.load(path)
    assert made.graph.node == stored.graph.node
    assert made.graph.value_info == stored.graph.value_info
    assert made.graph.initializer == stored.graph.initializer
    assert made.opset_import == stored.opset_import


def test_most_weights_are_those_of_the_original() -> None:
    original, stored = (_weights(name) for name in (ORIGINAL, REWRITTEN))
    kept = original.keys() & stored.keys()
    assert all(np.array_equal(original[name], stored[name]) for name in kept)
    assert len(kept) > 0.9 * len(original)


def _weights(name: str) -> dict[str, np.ndarray]:
    return {each.name: numpy_helper.to_array(each) for each in onnx.load(find_model_file(name)).graph.initializer}


@pytest.mark.parametrize("profile", ["fast", "balanced"])
@pytest.mark.parametrize(("device", "taken", "left"), [(CPU, REWRITTEN, ORIGINAL), (CUDA, ORIGINAL, REWRITTEN)])
def test_cpus_get_the_rewritten_graph_and_gpus_the_original(
    profile: str, device: str, taken: str, left: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(OnnxNetwork, "device", device)  # without CUDA the networks of a GPU run on the CPU
    monkeypatch.setattr(cuda, "open_with_fastest_search", lambda opened, shapes, warmed: opened("HEURISTIC"))
    monkeypatch.setattr(BatchedRecogniser, "warmup", lambda self: None)
    networks = NetworkFactory(OnnxRuntime(), device=device)
    open_line_engine(networks, PROFILES[profile])
    assert taken in networks.digests and left not in networks.digests


def test_a_graph_without_an_order_of_execution_is_refused() -> None:
    graph = rewrite_detector.Graph(find_model_file(ORIGINAL))
    graph.nodes.append(helper.make_node("Relu", ["nothing gives this"], ["output"], name="lost"))
    with pytest.raises(ValueError, match="lost lacks an input"):
        graph.model()
