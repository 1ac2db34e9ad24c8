"""The accurate recogniser in INT8: `python -m tools.quantise_recogniser OUT.onnx --fonts DIR…` (group `train`).

Convolutions with many channels are quantised statically (QDQ): int8 weights per channel, uint8 activations. The output
layer with 18,710 classes is quantised dynamically: int8 weights, activation scales computed per line. Activation ranges
are calibrated on rendered lines of random text in the given fonts; no photographs are used.
"""

from __future__ import annotations

import argparse
import random
import tempfile
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import onnx
import onnxruntime as ort
from numpy.typing import NDArray
from onnx import helper, version_converter
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_dynamic, quantize_static
from PIL import Image, ImageDraw, ImageFont

from inkgate.engines.manifest import find_model_file
from inkgate.engines.text.recognise import pad_to_min_width, to_tensor

LINES, SEED = 60, 11
MIN_CHANNELS = 48  # convolutions with fewer input channels do not gain from INT8
# Layers that change the best class of more than 0.1 % of the columns when they alone are quantised.
FLOAT_LAYERS = tuple(f"Conv.{number}" for number in (8, 9, 26, 45, 50, 55))
OPSET = 17  # the first with per-channel scales and every operator used here
IR_VERSION = 8  # supported by every permitted version of ONNX Runtime
CHINESE = [
    bytes((row, cell)).decode("gb2312")
    for row in range(0xB0, 0xD8)
    for cell in range(0xA1, 0xFF)
    if row < 0xD7 or cell <= 0xF9
]
LATIN = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"


def text(chance: random.Random) -> str:
    """A line of random text: Chinese with punctuation, Latin words, or a formatted number."""
    match chance.random():
        case kind if kind < 0.6:
            characters = [chance.choice(CHINESE) for _ in range(chance.randint(2, 30))]
            return "".join(c + (chance.choice("，。：、") if chance.random() < 0.1 else "") for c in characters)
        case kind if kind < 0.8:
            words = ("".join(chance.choice(LATIN) for _ in range(chance.randint(2, 9))) for _ in range(5))
            return " ".join(list(words)[: chance.randint(1, 5)])
        case _:
            number = chance.randint(1, 10 ** chance.randint(1, 11))
            return chance.choice(("¥{}.00", "No.{}", "{}%", "2026-04-{}", "{}", "第{}号")).format(number)


def line(chance: random.Random, fonts: list[Path]) -> NDArray[np.uint8]:
    """A rendered text line as a BGR image, uint8, shape (height, width, 3).

    Dark on light or light on dark; some lines are blurred, noisy or JPEG-compressed.
    """
    words, size = text(chance), chance.choice((10, 12, 14, 16, 20, 24, 32, 40))
    font = ImageFont.truetype(chance.choice(fonts), size)
    left, top, right, bottom = (round(side) for side in font.getbbox(words))
    margin = max(size // 5, 1)
    levels = (chance.randint(200, 255), chance.randint(0, 90))
    background, foreground = levels if chance.random() < 0.8 else levels[::-1]
    canvas = Image.new("L", (right - left + 2 * margin, bottom - top + 2 * margin), background)
    ImageDraw.Draw(canvas).text((margin - left, margin - top), words, font=font, fill=foreground)
    image = np.asarray(canvas).astype(np.float32)
    if chance.random() < 0.5:
        image = np.asarray(cv2.GaussianBlur(image, (0, 0), chance.uniform(0.3, 1.1)))
    if chance.random() < 0.5:
        noise = np.random.default_rng(chance.randint(0, 10**9))
        image = image + noise.normal(0, chance.uniform(2, 10), image.shape)
    grey = np.clip(image, 0, 255).astype(np.uint8)
    if chance.random() < 0.5:
        _, encoded = cv2.imencode(".jpg", grey, [cv2.IMWRITE_JPEG_QUALITY, chance.randint(40, 90)])
        grey = np.asarray(cv2.imdecode(encoded, cv2.IMREAD_GRAYSCALE), np.uint8)
    return np.asarray(cv2.cvtColor(grey, cv2.COLOR_GRAY2BGR), np.uint8)


class DrawnLines(CalibrationDataReader):  # type: ignore[misc]
    """Calibration data: rendered lines, one per batch."""

    def __init__(self, name: str, fonts: list[Path]) -> None:
        self._lines = self._draw(name, fonts)

    def _draw(self, name: str, fonts: list[Path]) -> Iterator[dict[str, NDArray[np.float32]]]:
        chance = random.Random(SEED)
        for _ in range(LINES):
            yield {name: pad_to_min_width(to_tensor(line(chance, fonts)))[None]}

    def get_next(self) -> dict[str, NDArray[np.float32]] | None:
        return next(self._lines, None)


def fused(source: Path, target: Path) -> None:
    """Write the model with opset OPSET and the runtime's fusions, so that fused layers are quantised as one."""
    newer = target.with_suffix(".newer")
    onnx.save(version_converter.convert_version(onnx.load(source), OPSET), newer)
    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_EXTENDED
    options.optimized_model_filepath = str(target)
    ort.InferenceSession(str(newer), options, providers=["CPUExecutionProvider"])


def float_layers(model: onnx.ModelProto) -> list[str]:
    """The names of the convolutions that are not quantised."""
    channels = {weights.name: weights.dims[1] for weights in model.graph.initializer if len(weights.dims) == 4}
    layers = [node for node in model.graph.node if "Conv" in node.op_type]
    return [node.name for node in layers if node.name in FLOAT_LAYERS or channels.get(node.input[1], 0) < MIN_CHANNELS]


def unfuse_output_gemm(model: onnx.ModelProto) -> str:
    """Replace the fused output layer by a Transpose and a MatMul node. Returns the name of the MatMul node."""
    nodes = model.graph.node
    at = max(at for at, node in enumerate(nodes) if node.op_type == "FusedMatMul")
    head = nodes[at]
    nodes.remove(head)
    nodes.insert(at, helper.make_node("Transpose", [head.input[0]], ["columns"], name="turn", perm=[0, 2, 1]))
    nodes.insert(at + 1, helper.make_node("MatMul", ["columns", head.input[1]], [head.output[0]], name="head"))
    return "head"


def strip_metadata(path: Path) -> None:
    """Remove unused operator set imports and set IR_VERSION, so that older runtimes load the model."""
    model = onnx.load(path)
    used = {node.domain for node in model.graph.node}
    imports = [opset for opset in model.opset_import if opset.domain in used]
    del model.opset_import[:]
    model.opset_import.extend(imports)
    model.ir_version = IR_VERSION
    onnx.save(model, path)


def quantise(source: Path, target: Path, fonts: list[Path]) -> None:
    """Write the INT8 model of `source` to `target`."""
    with tempfile.TemporaryDirectory() as folder:
        whole, halfway = Path(folder, "fused.onnx"), Path(folder, "halfway.onnx")
        fused(source, whole)
        model = onnx.load(whole)
        quantize_static(
            whole,
            halfway,
            DrawnLines(model.graph.input[0].name, fonts),
            quant_format=QuantFormat.QDQ,
            op_types_to_quantize=["Conv"],
            per_channel=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            nodes_to_exclude=float_layers(model),
        )
        model = onnx.load(halfway)
        head = unfuse_output_gemm(model)
        onnx.save(model, halfway)
        quantize_dynamic(halfway, target, nodes_to_quantize=[head], per_channel=True, weight_type=QuantType.QInt8)
    strip_metadata(target)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tools.quantise_recogniser", description=__doc__.split("\n")[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("--fonts", type=Path, nargs="+", required=True, help="folders with Chinese fonts")
    args = parser.parse_args()
    fonts = sorted(font for folder in args.fonts for font in folder.rglob("*.tt[cf]"))
    quantise(find_model_file("ppocrv6-small-rec"), args.out, fonts)


if __name__ == "__main__":
    main()
