"""Average two exported files of one network:  python -m inkgate.engines.plate.training.average_weights A.onnx B.onnx
SHARE_OF_B TO.onnx

Long training on rendered images lowers accuracy on photographs; a weighted mean of early and late weights keeps most of
both (Wortsman et al., Robust fine-tuning of zero-shot models, 2022).
"""

from __future__ import annotations

import sys

import numpy as np
import onnx
from onnx import numpy_helper


def main() -> None:
    first, second, share, to = sys.argv[1:]
    model, b = onnx.load(first), float(share)
    other = {i.name: numpy_helper.to_array(i) for i in onnx.load(second).graph.initializer}
    for weight in model.graph.initializer:
        own = numpy_helper.to_array(weight)
        if own.dtype == np.float32:
            weight.CopyFrom(
                numpy_helper.from_array(((1 - b) * own + b * other[weight.name]).astype(own.dtype), weight.name)
            )
    onnx.save(model, to)


if __name__ == "__main__":
    main()
