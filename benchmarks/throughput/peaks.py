"""What one core can do at most: `python -m benchmarks.throughput.peaks` prints it as JSON.

Products of square matrices in float32 and INT8 by ONNX Runtime and in bfloat16 by OpenVINO, in operations (two for each
multiply-add) per CPU second, and bytes copied per CPU second. `nchwc_block` is the number of channels that ONNX Runtime
puts side by side for convolutions, 16 where it uses AVX-512 and 8 where it uses AVX2: it shows which kernels were
chosen.
"""

from __future__ import annotations

import json
import math
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

SIDE = 1024  # of the matrices
COPIED_BYTES = 128 * 2**20  # more than the caches of one core hold
ROUNDS = 7
_OPSET = 17


def product_model(kind: str) -> bytes:
    """An ONNX model that multiplies its input (SIDE, SIDE) by a constant; `kind` is "float32" or "int8"."""
    generator = np.random.default_rng(0)
    if kind == "int8":
        weights = generator.integers(-64, 64, (SIDE, SIDE), dtype=np.int8)
        operator, given, result = "MatMulInteger", TensorProto.UINT8, TensorProto.INT32
    else:
        weights = generator.random((SIDE, SIDE), np.float32)
        operator, given, result = "MatMul", TensorProto.FLOAT, TensorProto.FLOAT
    graph = helper.make_graph(
        [helper.make_node(operator, ["a", "b"], ["c"])],
        "product",
        [helper.make_tensor_value_info("a", given, (SIDE, SIDE))],
        [helper.make_tensor_value_info("c", result, (SIDE, SIDE))],
        [numpy_helper.from_array(weights, "b")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", _OPSET)], ir_version=10)
    return bytes(model.SerializeToString())


def products() -> dict[str, Callable[[], object]]:
    """One product of matrices in each precision that this installation has, ready to run on one thread."""
    steps: dict[str, Callable[[], object]] = {}
    for kind, dtype in (("float32", np.float32), ("int8", np.uint8)):
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        session = onnxruntime.InferenceSession(product_model(kind), options, ["CPUExecutionProvider"])
        steps[kind] = partial(session.run, None, {"a": np.ones((SIDE, SIDE), dtype)})
    if bf16 := _bf16_product():
        steps["bfloat16"] = bf16
    return steps


def _bf16_product() -> Callable[[], object] | None:
    """The product in bfloat16; None where OpenVINO is missing or would not use bfloat16 on this CPU."""
    try:
        from openvino import Core
    except ImportError:
        return None
    core = Core()
    if "BF16" not in core.get_property("CPU", "OPTIMIZATION_CAPABILITIES"):
        return None
    options = {"INFERENCE_PRECISION_HINT": "bf16", "INFERENCE_NUM_THREADS": 1, "NUM_STREAMS": 1}
    request = core.compile_model(core.read_model(product_model("float32")), "CPU", options).create_infer_request()
    matrix = np.ones((SIDE, SIDE), np.float32)
    return lambda: request.infer({0: matrix})


def copy() -> Callable[[], object]:
    """One copy of COPIED_BYTES: as many are read and as many written."""
    source, target = np.ones(COPIED_BYTES, np.uint8), np.empty(COPIED_BYTES, np.uint8)
    return lambda: np.copyto(target, source)


def cpu_seconds(step: Callable[[], object]) -> float:
    """CPU seconds of this process for one run."""
    begun = time.process_time()
    step()
    return time.process_time() - begun


def measure(rounds: int = ROUNDS) -> dict[str, float]:
    """Best rate of several interleaved rounds: 10^9 operations, `copied` 10^9 bytes read and written, per second."""
    steps = {**products(), "copied": copy()}
    seconds: dict[str, list[float]] = {name: [] for name in steps}
    for step in steps.values():
        step()
    for _ in range(rounds):
        for name, step in steps.items():
            seconds[name].append(cpu_seconds(step))
    return {name: round(work_of(name) / min(spent) / 1e9, 1) for name, spent in seconds.items()}


def work_of(name: str) -> float:
    """Operations of a product, or bytes of a copy."""
    return 2.0 * COPIED_BYTES if name == "copied" else 2.0 * SIDE**3


def nchwc_block(model: Path) -> int:
    """Channels side by side in the convolutions of `model` as ONNX Runtime optimises it, 0 for its plain layout."""
    with tempfile.TemporaryDirectory() as folder:
        options = onnxruntime.SessionOptions()
        options.optimized_model_filepath = str(Path(folder) / "optimised.onnx")
        options.log_severity_level = 4
        onnxruntime.InferenceSession(str(model), options, ["CPUExecutionProvider"])
        graph = onnx.load(options.optimized_model_filepath).graph
    sizes = {each.name: each.dims[0] for each in graph.initializer if each.dims}
    blocked = [node for node in graph.node if node.domain == "com.microsoft.nchwc" and node.op_type == "Conv"]
    return math.gcd(*(sizes[node.input[1]] for node in blocked)) if blocked else 0


def report() -> dict[str, Any]:
    """All of it, for the page detector of the profile balanced."""
    from inkgate.engines.manifest import find_model_file

    return {"nchwc_block": nchwc_block(find_model_file("ppocrv6-tiny-det-cpu")), "peaks": measure()}


if __name__ == "__main__":
    print(json.dumps(report()))
