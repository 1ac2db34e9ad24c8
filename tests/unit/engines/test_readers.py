"""The registry of readers: which it opens, which it refuses, and how a worker's reader passes images to them."""

from __future__ import annotations

from importlib.metadata import EntryPoint
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest

from inkgate.engines import reader as readers
from inkgate.engines.errors import DecodeError, ModelError
from inkgate.engines.reader import ImageReader, ReaderContext, open_readers
from inkgate.engines.types import EngineInfo

CONTEXT: Any = ReaderContext(SimpleNamespace(), SimpleNamespace(), 1, None)  # type: ignore[arg-type]


class Sizes:
    """A reader that returns the size of an image, and whether it was asked for extras."""

    def __init__(self, context: ReaderContext) -> None:
        self.events = ["opened"]
        self.models = {"sizes": "0" * 64}

    def read(self, image: np.ndarray, *, extras: bool) -> tuple[int, ...]:
        return (*image.shape, int(extras))

    def warmup(self) -> None:
        self.events.append("warm")

    def close(self) -> None:
        self.events.append("closed")


def broken(context: ReaderContext) -> Sizes:
    raise OSError("no such device")


def without_model(context: ReaderContext) -> Sizes:
    raise ModelError("model x: missing")


def nothing(context: ReaderContext) -> None:
    return None


def entry(attribute: str, name: str = "sizes") -> EntryPoint:
    return EntryPoint(name, f"{__name__}:{attribute}", readers.GROUP)


@pytest.fixture(autouse=True)
def _no_networks(monkeypatch: pytest.MonkeyPatch) -> None:
    """The built-in readers load networks; one that loads none stands for them."""
    monkeypatch.setattr(readers, "BUILT_IN", {"general": Sizes})


def test_built_in_readers_come_first() -> None:
    assert list(open_readers(CONTEXT, [entry("Sizes")])) == ["general", "sizes"]


@pytest.mark.parametrize(
    ("attribute", "name", "problem"),
    [
        ("broken", "sizes", "cannot be opened: OSError"),
        ("NOT_THERE", "sizes", "cannot be opened: AttributeError"),
        ("nothing", "sizes", "has no method read"),
        ("Sizes", "general", "has a reader already"),
    ],
)
def test_a_faulty_reader_is_one_error_that_names_its_distribution(attribute: str, name: str, problem: str) -> None:
    with pytest.raises(ModelError, match=problem) as caught:
        open_readers(CONTEXT, [entry(attribute, name)])
    assert f"reader {name!r} of the distribution {__name__!r}" in str(caught.value)


def test_a_missing_model_is_said_in_the_reader_s_own_words() -> None:
    with pytest.raises(ModelError, match=r"^model x: missing$"):
        open_readers(CONTEXT, [entry("without_model")])


def test_a_worker_s_reader_passes_decoded_images_on() -> None:
    text = SimpleNamespace(info=EngineInfo("onnx", "1", "cpu", 1, {"text": "1" * 64}), warmup=int, close=int)
    sizes = Sizes(CONTEXT)
    bare = SimpleNamespace(read=lambda image, *, extras: "bare")
    reader = ImageReader(text, {"sizes": sizes, "bare": bare}, 10_000)  # type: ignore[arg-type]
    image = cv2.imencode(".png", np.zeros((40, 50, 3), np.uint8))[1].tobytes()
    assert reader.read("sizes", image) == (40, 50, 3, 0) and reader.read("sizes", image, extras=True)[-1] == 1
    assert reader.read("bare", image) == "bare" and reader.names == {"sizes", "bare"}
    assert reader.info.models == {"text": "1" * 64, "sizes": "0" * 64}
    reader.warmup()
    reader.close()
    assert sizes.events == ["opened", "warm", "closed"]
    with pytest.raises(DecodeError):
        reader.read("sizes", b"no image")
    with pytest.raises(KeyError):
        reader.read("braille", image)
