"""The tiny detector's graph rewritten for CPUs: `python -m tools.rewrite_detector OUT.onnx` (needs `onnx`).

The same function in another order of sums, for ONNX Runtime's blocked layout (NCHWc). That layout is left, at the cost
of a copy of the map, by every operator that the runtime has in NCHW only, and by additions of maps whose shapes it
cannot prove equal. The weights are those of the manifest's `ppocrv6-tiny-det`; sums of weights are taken in float64.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper, shape_inference

from inkgate.engines.manifest import find_model_file

MODEL = "ppocrv6-tiny-det"
IR_VERSION = 8  # supported by every permitted version of ONNX Runtime
_PROBE_SIDES = {
    "h": 7 * 32,
    "w": 11 * 32,
}  # input sides for which shapes are inferred; they have no other common factor
_PROBE_BATCH = 2
# For a 3-tap kernel on a map enlarged twice, the small map's pixel (before, same, after) that each tap of the even and
# of the odd output pixel reads: _TAPS[parity][pixel][tap].
_TAPS = np.array([[[1, 0, 0], [0, 1, 1], [0, 0, 0]], [[0, 0, 0], [1, 1, 0], [0, 0, 1]]], np.float64)

Weights = NDArray[np.float32]


class Graph:
    """A model whose nodes may be replaced. Nodes are in any order until `save`."""

    def __init__(self, path: Path) -> None:
        self._model = onnx.load(path)
        self.nodes = list(self._model.graph.node)
        self.weights: dict[str, Weights] = {
            each.name: numpy_helper.to_array(each) for each in self._model.graph.initializer
        }

    def of_type(self, op: str) -> list[Any]:
        return [node for node in self.nodes if node.op_type == op]

    def producer(self, tensor: str) -> Any:
        """The node that gives a tensor, None for weights and inputs."""
        return next((node for node in self.nodes if tensor in node.output), None)

    def consumer(self, tensor: str) -> Any:
        """The only node that takes a tensor. Raises ValueError when there are more or none."""
        (node,) = (node for node in self.nodes if tensor in node.input)
        return node

    def weight(self, name: str, values: NDArray[Any]) -> str:
        """Add weights under a new name and return the name."""
        assert name not in self.weights, name
        self.weights[name] = np.ascontiguousarray(values)
        return name

    def replace(self, old: Iterable[Any], new: Iterable[Any]) -> None:
        for node in old:
            self.nodes.remove(node)
        self.nodes += new

    def model(self) -> onnx.ModelProto:
        """The model with nodes in order of execution, weights in use only, and shapes declared."""
        nodes = self._ordered()
        used = {name for node in nodes for name in node.input}
        weights = [numpy_helper.from_array(self.weights[name], name) for name in sorted(used & self.weights.keys())]
        source = self._model.graph
        (x,), (y,) = source.input, source.output
        graph = helper.make_graph(
            nodes, "detector", [_shaped(x.name, ["n", 3, "h", "w"])], [_shaped(y.name, ["n", 1, "h", "w"])], weights
        )
        model = helper.make_model(graph, opset_imports=self._model.opset_import, ir_version=IR_VERSION)
        _declare_shapes(model)
        onnx.checker.check_model(model, full_check=True)
        return model

    def _ordered(self) -> list[Any]:
        known = {*self.weights, *(each.name for each in self._model.graph.input), ""}
        left, ordered = self.nodes, list[Any]()
        while left:
            ready = [node for node in left if known.issuperset(node.input)]
            if not ready:
                raise ValueError(f"no order of execution: {left[0].name} lacks an input")
            ordered += ready
            known |= {name for node in ready for name in node.output}
            left = [node for node in left if node not in ready]
        return ordered


def _shaped(name: str, shape: Sequence[str | int]) -> Any:
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)


def _declare_shapes(model: onnx.ModelProto) -> None:
    """Declare the sides of every map as names ("h/4"), so that the runtime can prove shapes equal.

    The names are those of the sides for one probe input: the detector's sides are multiples of 32, for which all
    divisions are exact.
    """
    probe = onnx.ModelProto()
    probe.CopyFrom(model)
    values = {"n": _PROBE_BATCH, **_PROBE_SIDES}
    for tensor in (probe.graph.input[0], probe.graph.output[0]):
        for side in tensor.type.tensor_type.shape.dim:
            side.dim_value = values.get(side.dim_param, side.dim_value)
    for each in shape_inference.infer_shapes(probe, strict_mode=True, data_prop=True).graph.value_info:
        values = [side.dim_value for side in each.type.tensor_type.shape.dim]
        if len(values) == 4:
            batch, channels, *spatial = values
            named = [_side(name, value) for name, value in zip(_PROBE_SIDES, spatial, strict=True)]
            model.graph.value_info.append(
                _shaped(each.name, ["n" if batch == _PROBE_BATCH else batch, channels, *named])
            )


def _side(name: str, value: int) -> str | int:
    whole = _PROBE_SIDES[name]
    if value == 1:
        return 1
    assert whole % value == 0, f"a side of {value} for an input of {whole}"
    return name if value == whole else f"{name}/{whole // value}"


def scale_maps_once(graph: Graph) -> None:
    """`x + x * gate` → `x * (1 + gate)`: one pass over the map less. `gate` is (n, channels, 1, 1)."""
    one = graph.weight("one", np.ones((1, 1, 1, 1), np.float32))
    for add in graph.of_type("Add"):
        for name in add.input:
            multiply = graph.producer(name)
            if multiply is None or multiply.op_type != "Mul":
                continue
            (same,) = [other for other in add.input if other != name]
            if same in multiply.input:
                (gate,) = [other for other in multiply.input if other != same]
                more = f"{gate}+1"
                graph.replace(
                    [multiply, add],
                    [
                        helper.make_node("Add", [gate, one], [more], name=more),
                        helper.make_node("Mul", [same, more], [add.output[0]], name=multiply.name),
                    ],
                )


def split_first_concat(graph: Graph) -> None:
    """The convolution of two concatenated maps → the sum of the convolutions of each: the maps are not copied."""
    concat = next(node for node in graph.of_type("Concat") if len(node.input) == 2)
    conv = graph.consumer(concat.output[0])
    kernel, attributes = graph.weights[conv.input[1]], _attributes(conv)
    half = kernel.shape[1] // 2
    parts = [graph.weight("first-half", kernel[:, :half]), graph.weight("second-half", kernel[:, half:])]
    graph.replace(
        [concat, conv],
        [
            helper.make_node("Conv", [concat.input[0], parts[0]], ["first"], name="first", **attributes),
            helper.make_node(
                "Conv", [concat.input[1], parts[1], conv.input[2]], ["second"], name="second", **attributes
            ),
            helper.make_node("Add", ["first", "second"], [conv.output[0]], name="first+second"),
        ],
    )


def convolve_before_enlarging(graph: Graph) -> None:
    """A 3x3 convolution of maps enlarged 8, 4 and 2 times, and of one at full size → most of it at half size.

    A row of output pixels reads two rows of a map enlarged twice, not three. So each of the four pixels that a pixel
    of the half-size map becomes has a 2x2 kernel of its own, of sums of the 3x3 kernel: 4/9 of the products.
    """
    concat = next(node for node in graph.of_type("Concat") if len(node.input) == 4)
    conv = graph.consumer(concat.output[0])
    enlarged = [graph.producer(name) for name in concat.input[:3]]
    kernel = graph.weights[conv.input[1]]
    channels = 3 * kernel.shape[1] // 4
    halves = [
        _enlarge(graph, enlarged[0].input[0], 4),
        _enlarge(graph, enlarged[1].input[0], 2),
    ]
    small = kernel[:, :channels].astype(np.float64)
    phases, names = [], []
    for row in (0, 1):
        for column in (0, 1):
            taps = np.einsum("yt,xs,oits->oiyx", _TAPS[row], _TAPS[column], small)[
                :, :, row : row + 2, column : column + 2
            ]
            name = f"phase-{row}{column}"
            weights = graph.weight(f"{name}-kernel", taps.astype(np.float32))
            pads = [1 - row, 1 - column, row, column]
            phases.append(
                helper.make_node("Conv", ["halves", weights], [name], name=name, kernel_shape=[2, 2], pads=pads)
            )
            names.append(name)
    full = graph.weight("full-size-kernel", kernel[:, channels:])
    graph.replace(
        [*enlarged, concat, conv],
        [
            *halves,
            helper.make_node(
                "Concat",
                [*(node.output[0] for node in halves), enlarged[2].input[0]],
                ["halves"],
                name="halves",
                axis=1,
            ),
            *phases,
            helper.make_node("Concat", names, ["phases"], name="phases", axis=1),
            helper.make_node("DepthToSpace", ["phases"], ["interleaved"], name="interleaved", blocksize=2),
            helper.make_node(
                "Conv", [concat.input[3], full, conv.input[2]], ["full-size"], name="full-size", **_attributes(conv)
            ),
            helper.make_node("Add", ["full-size", "interleaved"], [conv.output[0]], name="full-size+interleaved"),
        ],
    )


def _enlarge(graph: Graph, tensor: str, times: int) -> Any:
    name = f"enlarged-{times}"
    scales = graph.weight(f"{name}-scales", np.array([1, 1, times, times], np.float32))
    modes = {"mode": "nearest", "coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
    return helper.make_node("Resize", [tensor, "", scales], [name], name=name, **modes)


def head_without_transposed_convolutions(graph: Graph) -> None:
    """Two transposed 2x2 convolutions of stride 2, biases, activations → two 1x1 convolutions and a permutation.

    Each output pixel of a transposed convolution without overlap has one source pixel. The 16 pixels that one becomes
    stay channels until the end; the biases are the convolutions' own.
    """
    first, second = graph.of_type("ConvTranspose")
    first_add = graph.consumer(first.output[0])
    relu = graph.consumer(first_add.output[0])
    second_add = graph.consumer(second.output[0])
    sigmoid = graph.consumer(second_add.output[0])
    kernel, last = graph.weights[first.input[1]], graph.weights[second.input[1]]  # (in, out, 2, 2)
    taken, given = kernel.shape[:2]
    to_quarters = kernel.transpose(2, 3, 1, 0).reshape(4 * given, taken, 1, 1)
    to_sixteenths = np.zeros((2, 2, 2, 2, 4, given), np.float32)  # [row, row, column, column] of the pixel; quarter
    for row in (0, 1):
        for column in (0, 1):
            to_sixteenths[row, :, column, :, 2 * row + column] = last[:, 0].transpose(1, 2, 0)
    biases = [
        next(graph.weights[name] for name in add.input if name in graph.weights).ravel()
        for add in (first_add, second_add)
    ]
    quarters = [graph.weight("quarters-kernel", to_quarters), graph.weight("quarters-bias", np.tile(biases[0], 4))]
    sixteenths = [
        graph.weight("sixteenths-kernel", to_sixteenths.reshape(16, 4 * given, 1, 1)),
        graph.weight("sixteenths-bias", np.repeat(biases[1], 16)),
    ]
    graph.replace(
        [first, first_add, relu, second, second_add, sigmoid],
        [
            helper.make_node("Conv", [first.input[0], *quarters], ["quarters"], name="quarters", kernel_shape=[1, 1]),
            helper.make_node("Relu", ["quarters"], ["quarters-relu"], name="quarters-relu"),
            helper.make_node("Conv", ["quarters-relu", *sixteenths], ["sums"], name="sums", kernel_shape=[1, 1]),
            helper.make_node("Sigmoid", ["sums"], ["probabilities"], name="probabilities"),
            helper.make_node("DepthToSpace", ["probabilities"], [sigmoid.output[0]], name="pixels", blocksize=4),
        ],
    )


def add_in_blocked_layout(graph: Graph) -> None:
    """Map + convolution, where the map is given in NCHW → the map through a depthwise 1x1 convolution with weights 1.

    The runtime adds two convolutions in the blocked layout, within the second one; the products with 1 are exact and
    cost less than the sum's way out of that layout and back.
    """
    for add in graph.of_type("Add"):
        producers = [graph.producer(name) for name in add.input]
        for at, (node, other) in enumerate(zip(producers, producers[::-1], strict=True)):
            if node is None or other is None or node.op_type not in ("Mul", "DepthToSpace") or other.op_type != "Conv":
                continue
            channels = len(graph.weights[other.input[1]])
            name, ones = f"{add.name}-blocked", f"ones-{channels}"
            if ones not in graph.weights:
                graph.weight(ones, np.ones((channels, 1, 1, 1), np.float32))
            graph.nodes.append(
                helper.make_node("Conv", [node.output[0], ones], [name], name=name, group=channels, kernel_shape=[1, 1])
            )
            add.input[at] = name


def _attributes(conv: Any) -> dict[str, Any]:
    return {each.name: helper.get_attribute_value(each) for each in conv.attribute}


def rewritten(source: Path) -> onnx.ModelProto:
    """The model in `source` with every rewrite."""
    graph = Graph(source)
    scale_maps_once(graph)
    head_without_transposed_convolutions(graph)
    split_first_concat(graph)
    convolve_before_enlarging(graph)
    add_in_blocked_layout(graph)
    return graph.model()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tools.rewrite_detector", description=__doc__.split("\n")[0])
    parser.add_argument("out", type=Path)
    args = parser.parse_args()
    args.out.write_bytes(rewritten(find_model_file(MODEL)).SerializeToString(deterministic=True))


if __name__ == "__main__":
    main()
