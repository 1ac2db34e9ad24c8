"""Names to engines: which runtime, which profile, which models. The one place that builds a `Reader`."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from functools import cache, partial
from pathlib import Path
from typing import TypeVar

import cv2

from inkgate.engines.errors import ModelError
from inkgate.engines.interfaces import Reader, ReaderContext, TextEngine
from inkgate.engines.manifest import locate, verify
from inkgate.engines.reader import PictureReader, open_readers
from inkgate.engines.runtimes import cpu, cuda, onnx
from inkgate.engines.text import profiles
from inkgate.engines.text.batched import BatchedRecogniser
from inkgate.engines.text.buckets import LINES
from inkgate.engines.text.cascade import Cascade
from inkgate.engines.text.detect import Detector
from inkgate.engines.text.engine import LineEngine, Parts, ReadCrops
from inkgate.engines.text.language import Pairs
from inkgate.engines.text.orient import Orienter
from inkgate.engines.text.recognise import Recogniser, load_charset
from inkgate.engines.text.scripts import Scripts, WholeLines
from inkgate.engines.types import EngineInfo

log = logging.getLogger(__name__)

Network = TypeVar("Network", bound=Callable[..., object])
Recognising = TypeVar("Recognising", onnx.OnnxNetwork, onnx.OnnxBestPath)

# Pages as the detectors see them, to time cuDNN by.
PAGES = ((1, 3, 736, 736), (1, 3, 736, 992), (1, 3, 960, 736), (1, 3, 1184, 1600))


def open_reader(runtime: str, profile: str, threads: int, model_dir: Path | None, max_pixels: int) -> Reader:
    """Load every network of a worker. `runtime` and `profile` are those of the settings.

    Raises ModelError when a file is missing or altered, ValueError for a name that no engine has.
    """
    text = open_text_engine(runtime, profile, threads, model_dir)
    return PictureReader(text, open_readers(ReaderContext(text, threads, model_dir)), max_pixels)


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
    """Our own pipeline, as the device wants it."""
    orienter = Orienter(models.network(profiles.ORIENTER))  # first: it shows whether the device is what it seemed
    parts = _gpu_parts(models, chosen, orienter) if models.device == "cuda" else _cpu_parts(models, chosen, orienter)
    return LineEngine(EngineInfo("onnx", onnx.version(), models.device, models.threads, models.digests), parts)


def _cpu_parts(models: _Models, chosen: profiles.Profile, orienter: Orienter) -> Parts:
    """Lines one by one, through as little of the careful network as the profile allows."""
    pairs = Pairs(models.file(profiles.PAIRS))
    in_bytes = chosen.careful_in_bytes if cpu.multiplies_bytes() else None
    reads_pages = in_bytes or chosen.careful
    pages = models.spelling(reads_pages, models.network(reads_pages), profiles.CHARSET)
    fields = models.on_demand(chosen.careful) if in_bytes else pages[0]
    careful = Scripts(Recogniser(*pages, prose=True, pairs=pairs))
    quick_spelling = models.spelling(profiles.QUICK, models.network(profiles.QUICK), profiles.QUICK_CHARSET)
    quick = Recogniser(*quick_spelling, prose=True)
    read: ReadCrops = WholeLines(careful)
    if chosen.doubt is not None:
        read = Cascade(quick, careful, chosen.doubt, chosen.squeeze)
    return Parts(
        detector=Detector(models.network(chosen.detector), chosen.page),
        read=read,
        trial=Recogniser(*quick_spelling),
        careful_detector=Detector(models.network(chosen.careful_detector)),
        careful_recogniser=Recogniser(fields, pages[1]),
        orienter=orienter,
        candidates=Recogniser(fields, pages[1]).candidates,
        fields_on_demand=bool(in_bytes),
    )


def _gpu_parts(models: _Models, chosen: profiles.Profile, orienter: Orienter) -> Parts:
    """Every line through the careful network, where it costs little: in buckets, with the lines of other pictures."""
    network = models.timed(partial(onnx.OnnxBestPath, models.file(chosen.careful)), LINES, warmed=True)
    lines = BatchedRecogniser(*models.spelling(chosen.careful, network, profiles.CHARSET))
    lines.warmup()
    page, careful = (
        models.timed(partial(onnx.OnnxNetwork, models.file(name)), PAGES, warmed=False)
        for name in (chosen.detector, chosen.careful_detector)
    )
    spelling = models.spelling(chosen.careful, models.network(chosen.careful), profiles.CHARSET)
    return Parts(
        detector=Detector(page, chosen.page),
        read=lines,
        trial=lines,
        careful_detector=Detector(careful),
        careful_recogniser=lines,
        orienter=orienter,
        candidates=Recogniser(*spelling).candidates,
    )


def _paddle(models: _Models) -> TextEngine:
    """PaddleOCR reads; our own orienter, crops and order stand around it. It has one profile."""
    from inkgate.engines.runtimes import paddle  # costs seconds, and is not installed with the other runtime

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
            network = self._networks[name] = onnx.OnnxNetwork(self.file(name), self.threads, self.device)
            if network.device != self.device:
                log.warning("CUDA did not load: reading on the CPU. Check the driver, CUDA and cuDNN.")
                self.device = network.device
        return self._networks[name]

    def on_demand(self, name: str) -> Callable[[onnx.Tensor], onnx.Tensor]:
        """The network, opened by its first call; its file is found and verified now."""
        opened = cache(partial(onnx.OnnxNetwork, self.file(name), self.threads, self.device))
        return lambda batch: opened()(batch)

    def spelling(self, name: str, network: Recognising, charset: str) -> tuple[Recognising, list[str]]:
        """The network and its characters. Raises ModelError when their numbers differ: an operator's file may be of
        another family than its name says, and would read gibberish."""
        characters = load_charset(self.file(charset))
        if network.classes not in (None, len(characters)):
            raise ModelError(
                f"model {name}: it tells {network.classes} classes apart, and {charset} has {len(characters)}. "
                "Put the pair that belongs together into INKGATE_ENGINE__MODEL_DIR."
            )
        return network, characters

    def timed(self, network: Callable[..., Network], shapes: Sequence[cuda.Shape], *, warmed: bool) -> Network:
        """`network` opened on the GPU with the quickest way of search for these shapes (see `cuda.quickest`)."""
        return cuda.quickest(lambda search: network(self.threads, self.device, search), shapes, warmed=warmed)
