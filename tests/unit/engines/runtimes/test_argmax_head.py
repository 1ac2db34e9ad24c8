"""Argmax inside the graph equals NumPy's argmax of the probabilities."""

from pathlib import Path

import numpy as np
import pytest

from inkgate.engines.errors import ModelError
from inkgate.engines.manifest import find_model_file
from inkgate.engines.runtimes.argmax_head import append_argmax_outputs
from inkgate.engines.runtimes.onnx import OnnxArgmaxNetwork, OnnxNetwork


@pytest.mark.parametrize("name", ["ppocrv6-small-rec", "ppocrv6-tiny-rec"])
def test_classes_and_scores_are_those_of_the_probabilities(name: str) -> None:
    batch = np.random.default_rng(5).standard_normal((2, 3, 48, 160)).astype(np.float32)
    probabilities = OnnxNetwork(find_model_file(name))(batch)
    classes, scores = OnnxArgmaxNetwork(find_model_file(name))(batch)
    assert classes.shape == scores.shape == probabilities.shape[:2]  # not a column's thousands of probabilities
    assert np.array_equal(classes, probabilities.argmax(axis=2))
    assert np.array_equal(scores, probabilities.max(axis=2))


@pytest.mark.parametrize("data", [b"", b"no model", b"\xff" * 20, b"\x3a\x7f\x08"])
def test_invalid_model_files_are_refused(data: bytes, tmp_path: Path) -> None:
    with pytest.raises(ValueError):
        append_argmax_outputs(data)
    (tmp_path / "model.onnx").write_bytes(data)
    with pytest.raises(ModelError, match=r"model\.onnx"):
        OnnxArgmaxNetwork(tmp_path / "model.onnx")


def test_a_truncated_model_file_is_refused(tmp_path: Path) -> None:
    whole = find_model_file("ppocrv6-tiny-rec").read_bytes()
    (tmp_path / "model.onnx").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ModelError, match=r"model\.onnx"):
        OnnxArgmaxNetwork(tmp_path / "model.onnx")
