"""Profiles: what each reads with, and `accurate` with networks from an operator's folder.

PP-OCRv6 medium is in no package, so the small networks stand in for it under its names.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from inkgate.engines.errors import ModelError
from inkgate.engines.imaging import decode
from inkgate.engines.manifest import find_model_file, verify_model_file
from inkgate.engines.registry import open_text_engine
from inkgate.engines.runtimes import cpu
from inkgate.engines.runtimes.onnx import OnnxNetwork
from inkgate.engines.text.crop import crop_line
from inkgate.engines.text.recognise import Recogniser, load_charset

SAMPLE = Path(__file__).parents[2] / "service" / "samples" / "general.jpg"


def lines(profile: str, folder: Path | None = None) -> tuple[list[str], set[str]]:
    engine = open_text_engine("onnx", profile, 1, folder)
    page = engine.read(decode(SAMPLE.read_bytes(), 10_000_000))
    models = set(engine.info.models)
    engine.close()
    return [line.text.replace(" ", "") for line in page.lines], models


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for part in ("det", "rec"):
        (tmp_path / f"ppocrv6-medium-{part}.onnx").symlink_to(find_model_file(f"ppocrv6-small-{part}"))
    return tmp_path


def test_fast_reads_the_sample() -> None:
    texts, models = lines("fast")
    assert texts[0] == "图书馆开放通知" and len(texts) == 7
    assert {"ppocrv6-tiny-det-cpu", "ppocrv6-tiny-rec"} <= models


@pytest.mark.parametrize("multiplies", [True, False])
def test_pages_are_read_in_bytes_where_the_processor_multiplies_them(
    multiplies: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cpu, "has_vnni", lambda: multiplies)
    texts, models = lines("balanced")
    assert texts[0] == "图书馆开放通知" and len(texts) == 7
    assert ("ppocrv6-small-rec-int8" in models) is multiplies
    assert "ppocrv6-small-rec" in models  # cards are read with it in any case


def test_int8_read_the_sample_as_the_whole_network_does() -> None:
    page = open_text_engine("onnx", "balanced", 1, None)
    image = decode(SAMPLE.read_bytes(), 10_000_000)
    crops = [crop_line(image, quad) for quad in page.detect(image)]
    whole, eight = (
        Recogniser(OnnxNetwork(find_model_file(name)), load_charset(find_model_file("ppocrv6-charset")))(crops)
        for name in ("ppocrv6-small-rec", "ppocrv6-small-rec-int8")
    )
    page.close()
    assert [text.replace(" ", "") for text, _ in eight] == [text.replace(" ", "") for text, _ in whole]
    assert all(abs(one - other) < 0.05 for (_, one), (_, other) in zip(whole, eight, strict=True))


def test_accurate_reads_with_the_operators_networks(folder: Path) -> None:
    texts, models = lines("accurate", folder)
    assert texts[0] == "图书馆开放通知" and len(texts) == 7
    assert {"ppocrv6-medium-det", "ppocrv6-medium-rec"} <= models
    assert not any("small" in name for name in models)
    engine = open_text_engine("onnx", "accurate", 1, folder)
    digest = verify_model_file("ppocrv6-small-rec", find_model_file("ppocrv6-small-rec"))
    assert engine.info.models["ppocrv6-medium-rec"] == digest  # not judged, but reported
    engine.close()


def test_without_them_the_remedy_is_named(tmp_path: Path) -> None:
    for given in (None, tmp_path):
        with pytest.raises(ModelError, match=r"ppocrv6-medium-\w+: no file\. Put .* into INKGATE_ENGINE__MODEL_DIR"):
            open_text_engine("onnx", "accurate", 1, given)


def test_a_recogniser_of_another_family_is_refused(folder: Path) -> None:
    (folder / "ppocrv6-medium-rec.onnx").unlink()
    (folder / "ppocrv6-medium-rec.onnx").symlink_to(find_model_file("ppocrv6-tiny-rec"))
    with pytest.raises(ModelError, match=r"ppocrv6-medium-rec: it has 6906 classes, and .* has 18710"):
        open_text_engine("onnx", "accurate", 1, folder)


def test_a_file_that_is_no_network_is_refused(folder: Path) -> None:
    (folder / "ppocrv6-medium-det.onnx").unlink()
    (folder / "ppocrv6-medium-det.onnx").write_bytes(b"no network")
    with pytest.raises(ModelError, match=r"ppocrv6-medium-det\.onnx: ONNX Runtime cannot load it"):
        open_text_engine("onnx", "accurate", 1, folder)
