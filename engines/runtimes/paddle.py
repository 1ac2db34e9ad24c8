"""PaddleOCR's own text detection and recognition, offline, as parts of our engine.

A model is a folder with `inference.yml` and weights, under the name that the yml gives the model (`Global.model_name`):
Paddle's own weights run on PaddlePaddle, `inference.onnx` on ONNX Runtime through PaddleOCR. An operator lays one
detector `<model_dir>/<name>_det` and one recogniser `<model_dir>/<name>_rec`; without a folder PP-OCRv6 small is set up
from the package that carries it. Versions: paddleocr 3.7.0, paddlex 3.7.2, paddlepaddle 3.2.2 (3.3.0 and 3.3.1 fail in
their default inference on CPUs).
"""

from __future__ import annotations

import hashlib
import math
import os
import re
import tempfile
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from inkgate.engines.boxes import as_quad
from inkgate.engines.errors import ModelError
from inkgate.engines.manifest import find_model_file, verify_model_file
from inkgate.engines.networks import NetworkFactory
from inkgate.engines.runtimes.interface import CPU
from inkgate.engines.text import profiles
from inkgate.engines.text.detect import MAX_ENLARGEMENT, pad_with_edge_colour
from inkgate.engines.text.direction import RecogniseCrops
from inkgate.engines.text.engine import DetectLines, EngineComponents, LineEngine
from inkgate.engines.text.orient import OrientationClassifier
from inkgate.engines.text.profiles import Profile
from inkgate.engines.types import EngineInfo, Image, Quad

# Set up for lack of an operator's folder: its name, and the weights and description in the manifest.
_CARRIED = {
    "det": ("PP-OCRv6_small_det", "ppocrv6-small-det", "ppocrv6-small-det-config"),
    "rec": ("PP-OCRv6_small_rec", "ppocrv6-small-rec", "ppocrv6-small-rec-config"),
}
_SHORT_SIDE = 736  # pixels of the short side as the detector sees it, at least
_MOST_PIXELS = 2000 * 1500  # of a larger page the detector sees no more


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

    def detector(self) -> DetectLines:
        """Lines of an image as quadrilaterals in its pixels."""
        return PaddleDetector(self._open(self._paddleocr.TextDetection, "det"))

    def recogniser(self) -> RecogniseCrops:
        """Text and score of upright crops."""
        return PaddleRecogniser(self._open(self._paddleocr.TextRecognition, "rec"))

    def close(self) -> None:
        """Remove what was set up in a temporary folder."""
        self._scratch.cleanup()

    def _open(self, module: Any, kind: str) -> Any:
        folder = self._own_folder(kind) or self._carried_folder(kind)
        options: dict[str, Any] = {"engine": "paddle_static", "engine_config": {"cpu_threads": self._threads}}
        if (folder / "inference.onnx").is_file():
            options = {"engine": "onnxruntime", "engine_config": {"intra_op_num_threads": self._threads}}
        try:
            return module(model_name=folder.name, model_dir=str(folder), **options)
        except Exception as error:  # paddlex raises whatever its parts raise
            raise ModelError(f"{folder}: PaddleOCR cannot load it ({error})") from None

    def _own_folder(self, kind: str) -> Path | None:
        """The operator's folder of the detector ("det") or recogniser ("rec"), None where there is none."""
        found = sorted(self._model_dir.glob(f"*_{kind}/inference.yml")) if self._model_dir is not None else []
        if len(found) > 1:
            names = ", ".join(description.parent.name for description in found)
            raise ModelError(f"{self._model_dir} holds more than one *_{kind}: {names}. Leave one.")
        if not found:
            return None
        folder = found[0].parent
        name = re.search(r"\bmodel_name:\s*([\w.-]+)", found[0].read_text(encoding="utf-8"))
        if name is None or name[1] != folder.name:
            raise ModelError(f"{folder}: its inference.yml describes {name and name[1]}. Give the folder that name.")
        for file in sorted(folder.glob("inference.*")):
            with file.open("rb") as stream:
                self.digests[f"{folder.name}/{file.name}"] = hashlib.file_digest(stream, "sha256").hexdigest()
        return folder

    def _carried_folder(self, kind: str) -> Path:
        """A folder in PaddleOCR's layout, set up from the carried files."""
        name, *models = _CARRIED[kind]
        folder = Path(self._scratch.name) / name
        folder.mkdir()
        for model, file in zip(models, ("inference.onnx", "inference.yml"), strict=True):
            path = find_model_file(model, self._model_dir)
            self.digests[model] = verify_model_file(model, path)
            (folder / file).symlink_to(path)
        return folder


class PaddleDetector:
    """paddleocr.TextDetection as a detector. Threads take turns: PaddlePaddle's predictors serve one at a time."""

    def __init__(self, module: Any) -> None:
        self._module = module
        self._turn = threading.Lock()

    def __call__(self, image: Image, limit_side: int | None = None) -> list[Quad]:
        """Quadrilaterals of lines in pixels of `image`, unordered.

        By default the short side is seen at 736 pixels, or enlarged `MAX_ENLARGEMENT` times where that is less.
        """
        if min(image.shape[:2]) < 2:
            return []  # PaddleOCR cannot scale an image of one pixel
        whole, margin = pad_with_edge_colour(image)
        height, width = whole.shape[:2]
        with self._turn:
            (result,) = self._module.predict(whole, **_limit(width, height, limit_side))
        boxes = np.asarray(result["dt_polys"], np.float64).reshape(-1, 4, 2) - margin
        boxes = np.clip(boxes, 0, [image.shape[1] - 1, image.shape[0] - 1])
        return [as_quad(box) for box in boxes]


def _limit(width: int, height: int, limit_side: int | None) -> dict[str, Any]:
    """How large PaddleOCR sees an image, in its own words."""
    short, long = min(width, height), max(width, height)
    if limit_side is None and width * height > _MOST_PIXELS:
        limit_side = round(long * math.sqrt(_MOST_PIXELS / (width * height)))
    if limit_side is not None and long * max(_SHORT_SIDE / short, 1.0) > limit_side:
        return {"limit_side_len": limit_side, "limit_type": "max"}
    return {"limit_side_len": min(_SHORT_SIDE, round(MAX_ENLARGEMENT * short)), "limit_type": "min"}


class PaddleRecogniser:
    """paddleocr.TextRecognition as a recogniser. Threads take turns."""

    def __init__(self, module: Any) -> None:
        self._module = module
        self._turn = threading.Lock()

    def __call__(self, crops: Sequence[Image]) -> list[tuple[str, float]]:
        """Text and mean character score of each crop (BGR uint8)."""
        if not crops:
            return []
        with self._turn:
            results = self._module.predict(list(crops), batch_size=1)
        return [(str(result["rec_text"]), float(result["rec_score"])) for result in results]


def open_paddle_engine(networks: NetworkFactory, profile: Profile) -> LineEngine:
    """The text engine in which PaddleOCR reads; our own orienter, crops and order stand around it.

    It has one detector and one recogniser for every purpose, so every profile reads alike. Raises ModelError when
    PaddleOCR is not installed, or a model is missing, altered or does not load.
    """
    modules = PaddleModels(networks.model_dir, networks.threads)
    parts = _parts(modules, OrientationClassifier(networks.network(profiles.ORIENTER)))
    digests = {**modules.digests, **networks.digests}
    return LineEngine(EngineInfo("paddle", modules.version, CPU, networks.threads, digests), parts, modules.close)


def _parts(models: PaddleModels, orienter: OrientationClassifier) -> EngineComponents:
    detector, recogniser = models.detector(), models.recogniser()
    return EngineComponents(detector, recogniser, recogniser, detector, recogniser, orienter, extend_line_ends=False)
