"""What the paddle runtime asks of PaddleOCR, with a stand-in for it; how it reads: tests/accuracy, make test-paddle."""

import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from inkgate.engines.errors import ModelError
from inkgate.engines.runtimes.paddle import PaddleModels, _limit


@pytest.fixture(autouse=True)
def asked(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """What the modules were opened with."""
    calls: list[dict[str, Any]] = []
    module = SimpleNamespace(
        __version__="3.7.0", TextDetection=lambda **given: calls.append(given), TextRecognition=None
    )
    monkeypatch.setitem(sys.modules, "paddleocr", module)
    return calls


def lay(folder: Path, name: str, described: str, weights: str) -> None:
    (folder / name).mkdir()
    (folder / name / "inference.yml").write_text(f"Global:\n  model_name: {described}\n")
    (folder / name / weights).write_bytes(b"weights")


def test_carried_files_go_through_onnx_runtime(asked: list[dict[str, Any]]) -> None:
    models = PaddleModels(None, 2)
    models.detector()
    (given,) = asked
    assert given["model_name"] == "PP-OCRv6_small_det" and given["engine"] == "onnxruntime"
    assert given["engine_config"] == {"intra_op_num_threads": 2}
    assert set(models.digests) == {"ppocrv6-small-det", "ppocrv6-small-det-config"}
    models.close()
    assert not Path(given["model_dir"]).exists()


@pytest.mark.parametrize(
    ("weights", "engine"),
    [("inference.pdmodel", "paddle_static"), ("inference.json", "paddle_static"), ("inference.onnx", "onnxruntime")],
)
def test_an_operators_folder_goes_first(tmp_path: Path, asked: list[dict[str, Any]], weights: str, engine: str) -> None:
    lay(tmp_path, "PP-OCRv5_server_det", "PP-OCRv5_server_det", weights)
    models = PaddleModels(tmp_path, 1)
    models.detector()
    (given,) = asked
    assert (given["model_name"], given["engine"]) == ("PP-OCRv5_server_det", engine)
    assert set(models.digests) == {f"PP-OCRv5_server_det/{name}" for name in ("inference.yml", weights)}


def test_a_folder_under_another_name_and_two_folders_are_refused(tmp_path: Path) -> None:
    lay(tmp_path, "mine_det", "PP-OCRv4_mobile_det", "inference.pdmodel")
    with pytest.raises(ModelError, match=r"mine_det: its inference\.yml describes PP-OCRv4_mobile_det"):
        PaddleModels(tmp_path, 1).detector()
    lay(tmp_path, "PP-OCRv4_mobile_det", "PP-OCRv4_mobile_det", "inference.pdmodel")
    with pytest.raises(ModelError, match="more than one"):
        PaddleModels(tmp_path, 1).detector()


def test_without_paddleocr_the_remedy_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "paddleocr", None)
    with pytest.raises(ModelError, match=r"inkgate\[paddle\]"):
        PaddleModels(None, 1)


@pytest.mark.parametrize(
    ("width", "height", "cap", "side", "kind"),
    [
        (900, 560, None, 736, "min"),  # small: enlarged
        (1500, 1200, None, 736, "min"),  # large enough: as it is
        (5400, 3360, None, 2196, "max"),  # huge: to the area of 2000 x 1500
        (40, 4000, None, 140, "min"),  # a strip keeps its letters, and they are not made higher than the network knows
        (900, 560, 640, 640, "max"),
        (900, 560, 4000, 736, "min"),  # room enough to enlarge
        (5400, 3360, 2500, 2500, "max"),
    ],
)
def test_how_large_an_image_is_seen(width: int, height: int, cap: int | None, side: int, kind: str) -> None:
    assert _limit(width, height, cap) == {"limit_side_len": side, "limit_type": kind}
