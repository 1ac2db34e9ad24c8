"""A trained ONNX graph as a torch module whose weights can be trained further.

Supports the operators of PP-OCR's convolutional networks; any other raises NotImplementedError.
GELU in five nodes and hard swish in four are folded back into one operator each.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

import numpy as np
import onnx
import torch
import torch.nn.functional as F
from onnx import numpy_helper
from torch import Tensor, nn

Node = tuple[str, list[str], str, dict[str, object]]


def _attributes(node: onnx.NodeProto) -> dict[str, object]:
    return {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}


def weights_in(graph: onnx.GraphProto) -> dict[str, np.ndarray]:
    """All stored values of a graph by name: initialisers, and constants that older exporters write as nodes."""
    held = {n.output[0]: n.attribute[0].t for n in graph.node if n.op_type == "Constant"}
    held |= {i.name: i for i in graph.initializer}
    return {name: numpy_helper.to_array(value) for name, value in held.items()}


def _safe(name: str) -> str:
    return "w_" + re.sub(r"\W", "_", name)


def _fold_gelu(nodes: list[Node]) -> list[Node]:
    """Div -> Erf -> Add -> Mul -> Mul becomes Gelu."""
    users: dict[str, list[Node]] = {}
    made = {out: node for node in nodes for out in (node[2],)}
    for node in nodes:
        for name in node[1]:
            users.setdefault(name, []).append(node)
    dropped, folded = set(), {}
    for node in nodes:
        if node[0] != "Erf":
            continue
        div = made[node[1][0]]
        add = users[node[2]][0]
        times = users[add[2]][0]
        half = users[times[2]][0]
        dropped |= {div[2], node[2], add[2], times[2]}
        folded[half[2]] = ("Gelu", [div[1][0]], half[2], {})
    return [folded.get(n[2], n) for n in nodes if n[2] not in dropped]


def _fold_hardswish(nodes: list[Node]) -> list[Node]:
    """Add 3 -> Clip to 0..6 -> Mul by the input -> Div by 6 becomes HardSwish."""
    made = {node[2]: node for node in nodes}
    dropped, folded = set(), {}
    for node in nodes:
        times = made.get(node[1][0]) if node[0] == "Div" else None
        clip = made.get(times[1][1]) if times and times[0] == "Mul" else None
        if clip is None or clip[0] != "Clip" or (clip[3]["min"], clip[3]["max"]) != (0.0, 6.0):
            continue
        dropped |= {clip[1][0], clip[2], times[2]}
        folded[node[2]] = ("HardSwish", [times[1][0]], node[2], {})
    return [folded.get(n[2], n) for n in nodes if n[2] not in dropped]


class OnnxModule(nn.Module):
    """The part of an ONNX graph between its input and `outputs`, run by torch.

    `patch` may change a node's attributes before the graph is built (node name of the output, attributes).
    Batch normalisation runs with its stored statistics and trains only scale and shift.
    """

    def __init__(
        self, path: str, outputs: Sequence[str], patch: Callable[[str, str, dict[str, object]], None] | None = None
    ) -> None:
        super().__init__()
        graph = onnx.load(path).graph
        weights = weights_in(graph)
        nodes: list[Node] = [
            (n.op_type, list(n.input), n.output[0], _attributes(n)) for n in graph.node if n.op_type != "Constant"
        ]
        for kind, _, out, attributes in nodes:
            if patch:
                patch(kind, out, attributes)
        nodes = _fold_hardswish(_fold_gelu(nodes))
        wanted, kept = set(outputs), []
        for node in reversed(nodes):
            if node[2] in wanted:
                kept.append(node)
                wanted |= set(node[1])
        self.nodes, self.outputs, self.input = kept[::-1], list(outputs), graph.input[0].name
        self.constants: dict[str, np.ndarray | float] = {}
        scales = {name for n in self.nodes if n[0] == "Resize" for name in n[1][1:]}
        statistics = {name for n in self.nodes if n[0] == "BatchNormalization" for name in n[1][3:5]}
        for name in sorted({i for n in self.nodes for i in n[1] if i in weights}):
            value = weights[name]
            if name in scales or value.dtype != np.float32:
                self.constants[name] = value
            elif value.ndim == 0:  # a constant of the formula, not a weight
                self.constants[name] = float(value)
            elif name in statistics:
                self.register_buffer(_safe(name), torch.from_numpy(value.copy()))
            else:
                self.register_parameter(_safe(name), nn.Parameter(torch.from_numpy(value.copy())))

    def forward(self, x: Tensor) -> list[Tensor]:
        values: dict[str, Tensor] = {self.input: x}
        for kind, inputs, out, attributes in self.nodes:
            args = [self._value(name, values) for name in inputs]
            values[out] = self._run(kind, args, attributes)
        return [values[name] for name in self.outputs]

    def _value(self, name: str, values: dict[str, Tensor]) -> Tensor | np.ndarray | float | None:
        if name in values:
            return values[name]
        if name in self.constants:
            return self.constants[name]
        return getattr(self, _safe(name)) if name else None

    def _run(self, kind: str, a: list, at: dict) -> Tensor:
        if kind == "Conv":
            return self._conv(a, at)
        if kind == "ConvTranspose":
            return F.conv_transpose2d(a[0], a[1], a[2] if len(a) > 2 else None, stride=list(at["strides"]))
        if kind == "BatchNormalization":
            return F.batch_norm(a[0], a[3], a[4], a[1], a[2], False, 0.0, at.get("epsilon", 1e-5))
        if kind == "MaxPool":
            if at.get("strides") == at["kernel_shape"] and not any(at.get("pads", [0])):
                return F.max_pool2d(a[0], list(at["kernel_shape"]))
            return _pool_two(a[0], at)
        if kind == "AveragePool":
            return F.avg_pool2d(a[0], list(at["kernel_shape"]), list(at["strides"]))
        if kind in ("ReduceMean", "GlobalAveragePool"):
            return self.pooled(a[0])
        if kind == "Resize":
            scales = [float(v) for v in a[2][2:]]
            return F.interpolate(a[0], scale_factor=scales, mode="nearest")
        if kind in ("Squeeze", "Unsqueeze"):
            axis = int((a[1] if len(a) > 1 else np.array(at["axes"])).reshape(-1)[0])
            return a[0].squeeze(axis) if kind == "Squeeze" else a[0].unsqueeze(axis)
        simple: dict[str, Callable[[], Tensor]] = {
            "Relu": lambda: F.relu(a[0]),
            "HardSwish": lambda: F.hardswish(a[0]),
            "Gelu": lambda: F.gelu(a[0]),
            "Sigmoid": lambda: torch.sigmoid(a[0]),
            "Add": lambda: a[0] + a[1],
            "Mul": lambda: a[0] * a[1],
            "Identity": lambda: a[0],
            "Concat": lambda: torch.cat(a, int(at["axis"])),
            "MatMul": lambda: a[0] @ a[1],
            "Reshape": lambda: a[0].reshape(tuple(int(v) for v in a[1])),
            "Transpose": lambda: a[0].permute(*at["perm"]),
            "HardSigmoid": lambda: torch.clamp(a[0] * at.get("alpha", 0.2) + at.get("beta", 0.5), 0, 1),
        }
        if kind not in simple:
            raise NotImplementedError(kind)
        return simple[kind]()

    def pooled(self, x: Tensor) -> Tensor:
        """Mean of each channel (n, c, 1, 1) of (n, c, h, w)."""
        return x.mean((2, 3), keepdim=True)

    @staticmethod
    def _conv(a: list, at: dict) -> Tensor:
        x, weight, bias = a[0], a[1], a[2] if len(a) > 2 else None
        stride, group = list(at.get("strides", [1, 1])), int(at.get("group", 1))
        top, left, bottom, right = at.get("pads", [0, 0, 0, 0])
        if at.get("auto_pad") == b"SAME_UPPER":  # stride 1 only: padding is added at the end
            bottom, right = weight.shape[2] - 1, weight.shape[3] - 1
        if top == bottom and left == right:
            return F.conv2d(x, weight, bias, stride, (top, left), list(at.get("dilations", [1, 1])), group)
        return F.conv2d(F.pad(x, (left, right, top, bottom)), weight, bias, stride, 0, 1, group)


def _pool_two(x: Tensor, at: dict) -> Tensor:
    """2 x 2 max pooling at stride 1, zero-padded at the end (inputs are never negative)."""
    if at["kernel_shape"] != [2, 2] or at.get("strides", [1, 1]) != [1, 1] or at.get("auto_pad") != b"SAME_UPPER":
        raise NotImplementedError(str(at))
    wide = torch.maximum(x, F.pad(x[..., 1:], (0, 1)))
    return torch.maximum(wide, F.pad(wide[..., 1:, :], (0, 0, 0, 1)))
