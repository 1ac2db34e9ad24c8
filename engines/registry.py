"""Names to engines: which runtime, which profile, which models. The one place that builds a `Reader`."""

from __future__ import annotations

from pathlib import Path

import cv2

from engines.interfaces import Reader, TextEngine
from engines.manifest import locate, verify
from engines.plate import open_plate_reader
from engines.reader import PictureReader
from engines.runtimes import onnx
from engines.text.detect import Detector
from engines.text.engine import LineEngine
from engines.text.orient import Orienter
from engines.text.recognise import Recogniser, load_charset
from engines.types import EngineInfo


def open_reader(runtime: str, profile: str, threads: int, model_dir: Path | None, max_pixels: int) -> Reader:
    """Load every network of a worker. `runtime` and `profile` are those of the settings.

    Raises ModelError when a file is missing or altered, ValueError for a name that no engine has.
    """
    text = open_text_engine(runtime, profile, threads, model_dir)
    return PictureReader(text, open_plate_reader(text, threads), max_pixels)


def open_text_engine(runtime: str, profile: str, threads: int, model_dir: Path | None) -> TextEngine:
    """The text engine alone. Raises as `open_reader` does."""
    if runtime != "onnx":
        raise ValueError(f"no runtime {runtime!r}")
    cv2.setNumThreads(threads)
    files, digests = {}, {}
    for role, name in {
        "detect": "ppocrv6-small-det",
        "recognise": "ppocrv6-small-rec",
        "charset": "ppocrv6-charset",
        "orient": "pplcnet-doc-orientation",
    }.items():
        files[role] = locate(name, model_dir)
        digests[role] = verify(name, files[role])
    return LineEngine(
        EngineInfo("onnx", onnx.version(), "cpu", threads, digests),
        Detector(onnx.OnnxNetwork(files["detect"], threads)),
        Recogniser(onnx.OnnxNetwork(files["recognise"], threads), load_charset(files["charset"])),
        Orienter(onnx.OnnxNetwork(files["orient"], threads)),
    )
