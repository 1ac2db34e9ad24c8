"""Names to engines: which runtime, which profile, which models. The one place that builds a `Reader`."""

from __future__ import annotations

from pathlib import Path

import cv2

from engines.interfaces import Reader, TextEngine
from engines.manifest import locate, verify
from engines.plate import open_plate_reader
from engines.reader import PictureReader
from engines.runtimes import onnx
from engines.text import profiles
from engines.text.batched import BatchedRecogniser
from engines.text.cascade import Cascade
from engines.text.detect import Detector
from engines.text.engine import LineEngine, Parts, ReadCrops
from engines.text.orient import Orienter
from engines.text.recognise import Recogniser, load_charset
from engines.types import EngineInfo


def open_reader(runtime: str, profile: str, threads: int, model_dir: Path | None, max_pixels: int) -> Reader:
    """Load every network of a worker. `runtime` and `profile` are those of the settings.

    Raises ModelError when a file is missing or altered, ValueError for a name that no engine has.
    """
    text = open_text_engine(runtime, profile, threads, model_dir)
    return PictureReader(text, open_plate_reader(threads, model_dir), max_pixels)


def open_text_engine(runtime: str, profile: str, threads: int, model_dir: Path | None) -> TextEngine:
    """The text engine alone. Raises as `open_reader` does."""
    if runtime not in ("onnx", "paddle"):
        raise ValueError(f"no runtime {runtime!r}")
    if profile not in profiles.PROFILES:
        raise ValueError(f"no profile {profile!r}")
    cv2.setNumThreads(threads)
    models = _Models(model_dir, threads)
    return _paddle(models) if runtime == "paddle" else _onnx(models, profiles.PROFILES[profile])


def _onnx(models: _Models, chosen: profiles.Profile) -> TextEngine:
    """Our own pipeline. On a GPU lines go in batches through the careful network alone: there it costs little."""
    careful = Recogniser(models.network(chosen.careful), load_charset(models.file(profiles.CHARSET)))
    quick = Recogniser(models.network(profiles.QUICK), load_charset(models.file(profiles.QUICK_CHARSET)))
    read: ReadCrops = careful if chosen.doubt is None else Cascade(quick, careful, chosen.doubt)
    if models.device == "cuda":
        read = BatchedRecogniser(careful)
        read.warmup()
    parts = Parts(
        detector=Detector(models.network(chosen.detector), chosen.page),
        read=read,
        trial=quick,
        careful_detector=Detector(models.network(chosen.careful_detector)),
        careful_recogniser=careful,
        orienter=Orienter(models.network(profiles.ORIENTER)),
    )
    return LineEngine(EngineInfo("onnx", onnx.version(), models.device, models.threads, models.digests), parts)


def _paddle(models: _Models) -> TextEngine:
    """PaddleOCR reads; our own orienter, crops and order stand around it. It has one profile."""
    from engines.runtimes import paddle  # costs seconds, and is not installed with the other runtime

    modules = paddle.PaddleModels(models.model_dir, models.threads)
    parts = paddle.parts(modules, Orienter(models.network(profiles.ORIENTER)))
    digests = {**modules.digests, **models.digests}
    return LineEngine(EngineInfo("paddle", modules.version, "cpu", models.threads, digests), parts, modules.close)


class _Models:
    """Model files of one engine, each found, verified and loaded once."""

    def __init__(self, model_dir: Path | None, threads: int) -> None:
        self.model_dir = model_dir
        self.threads = threads
        self.device = onnx.device()
        self._networks: dict[str, onnx.OnnxNetwork] = {}
        self.digests: dict[str, str] = {}

    def file(self, name: str) -> Path:
        path = locate(name, self.model_dir)
        self.digests[name] = verify(name, path)
        return path

    def network(self, name: str) -> onnx.OnnxNetwork:
        if name not in self._networks:
            self._networks[name] = onnx.OnnxNetwork(self.file(name), self.threads, self.device)
        return self._networks[name]
