"""The accurate reader in INT8: `python -m tools.quantise_reader OUT.onnx --fonts DIR…` (group `train`).

Convolutions with many channels keep their weights as int8 per channel and take their inputs as uint8; the last product,
of 18,710 classes, keeps its weights as int8 and scales its inputs again for each line. What range a layer's values have
is learnt from lines drawn here, of random text, in the fonts of the folders; no photograph is looked at.
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
LEAST_CHANNELS = 48  # below, the product is too short to gain
# Layers that change the best class of more than one column in a thousand when they alone are in INT8.
KEPT = tuple(f"Conv.{number}" for number in (8, 9, 26, 45, 50, 55))
OPSET = 17  # the first that has per-channel scales and every operator used here
IR_VERSION = 8  # read by every ONNX Runtime allowed
CHINESE = [
    bytes((row, cell)).decode("gb2312")
    for row in range(0xB0, 0xD8)
    for cell in range(0xA1, 0xFF)
    if row < 0xD7 or cell <= 0xF9
]
LATIN = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"


def text(chance: random.Random) -> str:
    """A line of random text: Chinese with its stops, Latin words, or a number as forms have them."""
    match chance.random():
        case kind if kind < 0.6:
            signs = [chance.choice(CHINESE) for _ in range(chance.randint(2, 30))]
            return "".join(sign + (chance.choice("，。：、") if chance.random() < 0.1 else "") for sign in signs)
        case kind if kind < 0.8:
            words = ("".join(chance.choice(LATIN) for _ in range(chance.randint(2, 9))) for _ in range(5))
            return " ".join(list(words)[: chance.randint(1, 5)])
        case _:
            number = chance.randint(1, 10 ** chance.randint(1, 11))
            return chance.choice(("¥{}.00", "No.{}", "{}%", "2026-04-{}", "{}", "第{}号")).format(number)


def line(chance: random.Random, fonts: list[Path]) -> NDArray[np.uint8]:
    """A drawn line as a BGR image: dark on light or light on dark, some blurred, noisy, or through JPEG."""
    words, size = text(chance), chance.choice((10, 12, 14, 16, 20, 24, 32, 40))
    font = ImageFont.truetype(chance.choice(fonts), size)
    left, top, right, bottom = (round(side) for side in font.getbbox(words))
    margin = max(size // 5, 1)
    grounds = (chance.randint(200, 255), chance.randint(0, 90))
    back, ink = grounds if chance.random() < 0.8 else grounds[::-1]
    drawn = Image.new("L", (right - left + 2 * margin, bottom - top + 2 * margin), back)
    ImageDraw.Draw(drawn).text((margin - left, margin - top), words, font=font, fill=ink)
    picture = np.asarray(drawn).astype(np.float32)
    if chance.random() < 0.5:
        picture = np.asarray(cv2.GaussianBlur(picture, (0, 0), chance.uniform(0.3, 1.1)))
    if chance.random() < 0.5:
        noise = np.random.default_rng(chance.randint(0, 10**9))
        picture = picture + noise.normal(0, chance.uniform(2, 10), picture.shape)
    grey = np.clip(picture, 0, 255).astype(np.uint8)
    if chance.random() < 0.5:
        _, packed = cv2.imencode(".jpg", grey, [cv2.IMWRITE_JPEG_QUALITY, chance.randint(40, 90)])
        grey = np.asarray(cv2.imdecode(packed, cv2.IMREAD_GRAYSCALE), np.uint8)
    return np.asarray(cv2.cvtColor(grey, cv2.COLOR_GRAY2BGR), np.uint8)


class Drawn(CalibrationDataReader):  # type: ignore[misc]
    """Lines one by one, as the runtime's calibration asks for them."""

    def __init__(self, name: str, fonts: list[Path]) -> None:
        self._lines = self._draw(name, fonts)

    def _draw(self, name: str, fonts: list[Path]) -> Iterator[dict[str, NDArray[np.float32]]]:
        chance = random.Random(SEED)
        for _ in range(LINES):
            yield {name: pad_to_min_width(to_tensor(line(chance, fonts)))[None]}

    def get_next(self) -> dict[str, NDArray[np.float32]] | None:
        return next(self._lines, None)


def fused(source: Path, target: Path) -> None:
    """The model as the runtime fuses it, in a newer set of operators. Scales are wanted around fused layers only."""
    newer = target.with_suffix(".newer")
    onnx.save(version_converter.convert_version(onnx.load(source), OPSET), newer)
    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_EXTENDED
    options.optimized_model_filepath = str(target)
    ort.InferenceSession(str(newer), options, providers=["CPUExecutionProvider"])


def kept(model: onnx.ModelProto) -> list[str]:
    """Names of the convolutions that stay as they are."""
    channels = {weights.name: weights.dims[1] for weights in model.graph.initializer if len(weights.dims) == 4}
    layers = [node for node in model.graph.node if "Conv" in node.op_type]
    return [node.name for node in layers if node.name in KEPT or channels.get(node.input[1], 0) < LEAST_CHANNELS]


def with_plain_head(model: onnx.ModelProto) -> str:
    """Write the last product, which the fusion has turned on its side, as turn and product; the product's name."""
    nodes = model.graph.node
    at = max(at for at, node in enumerate(nodes) if node.op_type == "FusedMatMul")
    head = nodes[at]
    nodes.remove(head)
    nodes.insert(at, helper.make_node("Transpose", [head.input[0]], ["columns"], name="turn", perm=[0, 2, 1]))
    nodes.insert(at + 1, helper.make_node("MatMul", ["columns", head.input[1]], [head.output[0]], name="head"))
    return "head"


def tidy(path: Path) -> None:
    """Leave out what the runtime wrote of itself, so that older versions read the file too."""
    model = onnx.load(path)
    used = {node.domain for node in model.graph.node}
    imports = [each for each in model.opset_import if each.domain in used]
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
            Drawn(model.graph.input[0].name, fonts),
            quant_format=QuantFormat.QDQ,
            op_types_to_quantize=["Conv"],
            per_channel=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            nodes_to_exclude=kept(model),
        )
        model = onnx.load(halfway)
        head = with_plain_head(model)
        onnx.save(model, halfway)
        quantize_dynamic(halfway, target, nodes_to_quantize=[head], per_channel=True, weight_type=QuantType.QInt8)
    tidy(target)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tools.quantise_reader", description=__doc__.split("\n")[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("--fonts", type=Path, nargs="+", required=True, help="folders with Chinese fonts")
    args = parser.parse_args()
    fonts = sorted(font for folder in args.fonts for font in folder.rglob("*.tt[cf]"))
    quantise(find_model_file("ppocrv6-small-rec"), args.out, fonts)


if __name__ == "__main__":
    main()
