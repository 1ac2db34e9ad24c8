"""Work of a network for one input shape: floating-point operations and bytes, counted in its ONNX graph.

Only operators that multiply count (convolutions and matrix products), with two operations for each multiply-add: they
are more than 98 % of the work of these networks. Bytes are those of each operator's input, weights and output, moved
once each: what would pass to memory without any cache.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from math import prod
from pathlib import Path

import numpy as np
import onnx
import onnxruntime

Sizes = Mapping[str, Sequence[int]]
Count = Callable[[onnx.NodeProto, Sizes], int]
_FLOAT_BYTES, _INT8_BYTES = 4, 1


@dataclass(frozen=True, slots=True)
class Work:
    """Operations (two for each multiply-add) and bytes."""

    operations: int
    bytes: int


def count(path: Path, shape: Sequence[int]) -> Work:
    """The work of the network in `path` for an input of `shape`. An INT8 network counts one byte for each number."""
    return _count(path, tuple(shape))


@cache
def _load(path: Path) -> onnx.ModelProto:
    return onnx.load(path)


@cache
def _count(path: Path, shape: tuple[int, ...]) -> Work:
    graph = _load(path).graph
    sizes = _sizes(_load(path), shape)
    width = _INT8_BYTES if is_int8(path) else _FLOAT_BYTES
    operations = moved = 0
    for node in graph.node:
        if node.op_type not in _PRODUCTS:
            continue
        names = (*node.input[:2], node.output[0])
        operations += 2 * _PRODUCTS[node.op_type](node, sizes)
        moved += width * sum(prod(sizes[name]) for name in names)
    return Work(operations, moved)


@cache
def is_int8(path: Path) -> bool:
    """Whether the network in `path` multiplies in INT8."""
    return any(node.op_type in ("QuantizeLinear", "MatMulInteger") for node in _load(path).graph.node)


def _convolution(node: onnx.NodeProto, sizes: Sizes) -> int:
    """Weights are (out, in / groups, height, width): each output element takes all but the first dimension."""
    return prod(sizes[node.output[0]]) * prod(sizes[node.input[1]][1:])


def _transposed(node: onnx.NodeProto, sizes: Sizes) -> int:
    """Weights are (in, out / groups, height, width): each input element meets all but the first dimension."""
    return prod(sizes[node.input[0]]) * prod(sizes[node.input[1]][1:])


def _product(node: onnx.NodeProto, sizes: Sizes) -> int:
    """Each output element takes the inner dimension, the last one of the first factor."""
    transposed = any(each.name == "transA" and each.i for each in node.attribute)
    return prod(sizes[node.output[0]]) * sizes[node.input[0]][-2 if transposed else -1]


_PRODUCTS: dict[str, Count] = {
    "Conv": _convolution,
    "FusedConv": _convolution,
    "ConvTranspose": _transposed,
    "MatMul": _product,
    "MatMulInteger": _product,
    "Gemm": _product,
}


def _sizes(model: onnx.ModelProto, shape: Sequence[int]) -> Sizes:
    """The shape of each factor and result of a product, from a run on zeros: not all follow from the graph alone."""
    open_model = onnx.ModelProto()
    open_model.CopyFrom(model)
    sizes: dict[str, Sequence[int]] = {each.name: tuple(each.dims) for each in model.graph.initializer}
    known = {*sizes, *(each.name for each in model.graph.output), model.graph.input[0].name}
    products = [node for node in model.graph.node if node.op_type in _PRODUCTS]
    wanted = dict.fromkeys(name for node in products for name in (*node.input[:2], node.output[0]) if name not in known)
    open_model.graph.output.extend(onnx.ValueInfoProto(name=name) for name in wanted)
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(open_model.SerializeToString(), options, ["CPUExecutionProvider"])
    given = session.get_inputs()[0].name
    results = session.run(None, {given: np.zeros(shape, np.float32)})
    names = [each.name for each in session.get_outputs()]
    return sizes | {given: shape} | {name: each.shape for name, each in zip(names, results, strict=True)}
