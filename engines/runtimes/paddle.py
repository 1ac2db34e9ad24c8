"""PaddleOCR's own text detection and recognition, offline, as parts of our engine.

A model is a folder `<model_dir>/<official name>` with `inference.yml` and weights: Paddle's own run on PaddlePaddle,
`inference.onnx` on ONNX Runtime through PaddleOCR. Without a folder PP-OCRv6 small is set up from the package that
carries it. Versions: paddleocr 3.7.0, paddlex 3.7.2, paddlepaddle 3.2.2 (3.3.0 and 3.3.1 fail in their default
inference on CPUs).
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from engines.errors import ModelError
from engines.manifest import locate, verify
from engines.text.engine import FindLines, Parts, ReadCrops
from engines.text.orient import Orienter
from engines.types import Image, Quad

DETECTOR = "PP-OCRv6_small_det"
RECOGNISER = "PP-OCRv6_small_rec"
# Weights and description of each model in the manifest, for lack of an operator's folder.
_CARRIED = {
    DETECTOR: ("ppocrv6-small-det", "ppocrv6-small-det-config"),
    RECOGNISER: ("ppocrv6-small-rec", "ppocrv6-small-rec-config"),
}


class PaddleModels:
    """Opens PaddleOCR modules; what it set up in a temporary folder goes when it is closed."""

    def __init__(self, model_dir: Path | None, threads: int) -> None:
        # Read when paddlex is first imported: no look at the network, and no chatter.
        os.environ.setdefault("PADDLE_PDX_DISABLE_MODEL_SOURCE_CHECK", "True")
        try:
            import paddleocr
        except ImportError as error:
            raise ModelError(f"the paddle runtime is not installed ({error}). Install inkgate[paddle].") from None
        self.version = f"{paddleocr.__version__}"
        self._paddleocr = paddleocr
        self._model_dir = model_dir
        self._threads = threads
        self._scratch = tempfile.TemporaryDirectory(prefix="inkgate-paddle-")
        self.digests: dict[str, str] = {}

    def detector(self) -> FindLines:
        """Lines of a picture as quadrilaterals in its pixels."""
        return PaddleDetector(self._open(self._paddleocr.TextDetection, DETECTOR))

    def recogniser(self) -> ReadCrops:
        """Text and score of upright crops."""
        return PaddleRecogniser(self._open(self._paddleocr.TextRecognition, RECOGNISER))

    def close(self) -> None:
        self._scratch.cleanup()

    def _open(self, module: Any, name: str) -> Any:
        folder = self._folder(name)
        options: dict[str, Any] = {"engine": "paddle_static", "engine_config": {"cpu_threads": self._threads}}
        if (folder / "inference.onnx").is_file():
            options = {"engine": "onnxruntime", "engine_config": {"intra_op_num_threads": self._threads}}
        try:
            return module(model_name=name, model_dir=str(folder), **options)
        except Exception as error:  # paddlex raises whatever its parts raise
            raise ModelError(f"{folder}: PaddleOCR cannot load it ({error})") from None

    def _folder(self, name: str) -> Path:
        """The operator's folder of a model, or one set up from the carried files."""
        if self._model_dir is not None and (own := self._model_dir / name).is_dir():
            return own
        folder = Path(self._scratch.name) / name
        folder.mkdir()
        for model, file in zip(_CARRIED[name], ("inference.onnx", "inference.yml"), strict=True):
            path = locate(model, self._model_dir)
            self.digests[model] = verify(model, path)
            (folder / file).symlink_to(path)
        return folder


class PaddleDetector:
    """paddleocr.TextDetection as a detector."""

    def __init__(self, module: Any) -> None:
        self._module = module

    def __call__(self, image: Image, limit_side: int | None = None) -> list[Quad]:
        """Quadrilaterals of lines in pixels of `image`, unordered; by default the short side is seen at 736."""
        height, width = image.shape[:2]
        if min(height, width) < 2:
            return []  # PaddleOCR cannot scale a picture of one pixel
        limit = {"limit_side_len": 736, "limit_type": "min"}
        if limit_side is not None and 736 * max(height, width) > limit_side * min(height, width):
            limit = {"limit_side_len": limit_side, "limit_type": "max"}
        (result,) = self._module.predict(image, **limit)
        boxes = np.asarray(result["dt_polys"], np.float64).reshape(-1, 4, 2)
        return [tuple((float(x), float(y)) for x, y in box) for box in boxes]  # type: ignore[misc]


class PaddleRecogniser:
    """paddleocr.TextRecognition as a recogniser."""

    def __init__(self, module: Any) -> None:
        self._module = module

    def __call__(self, crops: Sequence[Image]) -> list[tuple[str, float]]:
        """Text and mean character score of each crop (BGR uint8)."""
        if not crops:
            return []
        results = self._module.predict(list(crops), batch_size=1)
        return [(str(result["rec_text"]), float(result["rec_score"])) for result in results]


def parts(models: PaddleModels, orienter: Orienter) -> Parts:
    """An engine's parts: one detector and one recogniser for every purpose."""
    detector, recogniser = models.detector(), models.recogniser()
    return Parts(detector, recogniser, recogniser, detector, recogniser, orienter)
