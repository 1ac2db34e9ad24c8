"""The work of a network: operations and bytes of its products."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from benchmarks.throughput import peaks, work


def network(path: Path, nodes: list[onnx.NodeProto], weights: dict[str, tuple[int, ...]], given: list[object]) -> Path:
    graph = helper.make_graph(
        nodes,
        "test",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, given)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(np.zeros(shape, np.float32), name) for name, shape in weights.items()],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=10), path)
    return path


def test_a_convolution_counts_each_multiply_add_twice(tmp_path: Path) -> None:
    node = helper.make_node("Conv", ["x", "w"], ["y"], strides=[2, 2], pads=[1, 1, 1, 1])
    path = network(tmp_path / "a.onnx", [node], {"w": (8, 3, 3, 3)}, ["n", 3, "h", "w"])
    found = work.count(path, (1, 3, 16, 32))
    out = 8 * 8 * 16
    assert found.operations == 2 * out * 27
    assert found.bytes == 4 * (3 * 16 * 32 + 8 * 27 + out)


def test_groups_divide_the_work(tmp_path: Path) -> None:
    node = helper.make_node("Conv", ["x", "w"], ["y"], group=8)
    path = network(tmp_path / "a.onnx", [node], {"w": (8, 1, 1, 1)}, [1, 8, "h", "w"])
    assert work.count(path, (1, 8, 4, 4)).operations == 2 * 8 * 16


def test_a_transposed_convolution_counts_by_its_input(tmp_path: Path) -> None:
    node = helper.make_node("ConvTranspose", ["x", "w"], ["y"], strides=[2, 2])
    path = network(tmp_path / "a.onnx", [node], {"w": (4, 6, 2, 2)}, [1, 4, "h", "w"])
    assert work.count(path, (1, 4, 5, 5)).operations == 2 * 25 * 4 * 6 * 4


def test_a_product_takes_its_inner_dimension_behind_operators_that_change_the_shape(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("Transpose", ["x"], ["t"], perm=[0, 2, 1]),
        helper.make_node("MatMul", ["t", "w"], ["p"]),
        helper.make_node("Relu", ["p"], ["y"]),
    ]
    path = network(tmp_path / "a.onnx", nodes, {"w": (16, 10)}, [1, 16, "t"])
    assert work.count(path, (1, 16, 7)).operations == 2 * 7 * 16 * 10
    assert not work.is_int8(path)


def test_a_wrong_shape_is_an_error(tmp_path: Path) -> None:
    node = helper.make_node("MatMul", ["x", "w"], ["y"])
    path = network(tmp_path / "a.onnx", [node], {"w": (16, 10)}, [1, 7, 16])
    with pytest.raises(Exception, match="Got invalid dimensions"):
        work.count(path, (1, 7, 15))


def test_products_of_the_peaks_are_those_that_their_rate_assumes(tmp_path: Path) -> None:
    path = tmp_path / "p.onnx"
    path.write_bytes(peaks.product_model("float32"))
    assert work.count(path, (peaks.SIDE, peaks.SIDE)).operations == peaks.work_of("float32")
    path.with_name("q.onnx").write_bytes(peaks.product_model("int8"))
    assert work.is_int8(path.with_name("q.onnx"))


def test_the_layout_of_a_graph_without_convolutions_is_plain(tmp_path: Path) -> None:
    path = tmp_path / "p.onnx"
    path.write_bytes(peaks.product_model("float32"))
    assert peaks.nchwc_block(path) == 0


def test_convolutions_are_blocked_by_the_width_of_the_kernels(tmp_path: Path) -> None:
    nodes = [helper.make_node("Conv", ["x", "w"], ["y"])]
    path = network(tmp_path / "a.onnx", nodes, {"w": (32, 32, 3, 3)}, [1, 32, 16, 16])
    assert peaks.nchwc_block(path) in (8, 16, 32)
