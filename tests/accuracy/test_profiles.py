"""Profiles: what each reads with, and `accurate` with networks from an operator's folder.

PP-OCRv6 medium is in no package, so the small networks stand in for it under its names.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from engines.errors import ModelError
from engines.imaging import decode
from engines.manifest import locate, verify
from engines.registry import open_text_engine

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
        (tmp_path / f"ppocrv6-medium-{part}.onnx").symlink_to(locate(f"ppocrv6-small-{part}"))
    return tmp_path


def test_fast_reads_the_sample() -> None:
    texts, models = lines("fast")
    assert texts[0] == "图书馆开放通知" and len(texts) == 7
    assert {"ppocrv6-tiny-det", "ppocrv6-tiny-rec"} <= models


def test_accurate_reads_with_the_operators_networks(folder: Path) -> None:
    texts, models = lines("accurate", folder)
    assert texts[0] == "图书馆开放通知" and len(texts) == 7
    assert {"ppocrv6-medium-det", "ppocrv6-medium-rec"} <= models
    assert not any("small" in name for name in models)
    engine = open_text_engine("onnx", "accurate", 1, folder)
    digest = verify("ppocrv6-small-rec", locate("ppocrv6-small-rec"))
    assert engine.info.models["ppocrv6-medium-rec"] == digest  # nobody's to judge, and told
    engine.close()


def test_without_them_the_remedy_is_named(tmp_path: Path) -> None:
    for given in (None, tmp_path):
        with pytest.raises(ModelError, match=r"ppocrv6-medium-\w+: no file\. Put .* into INKGATE_ENGINE__MODEL_DIR"):
            open_text_engine("onnx", "accurate", 1, given)


def test_a_recogniser_of_another_family_is_refused(folder: Path) -> None:
    (folder / "ppocrv6-medium-rec.onnx").unlink()
    (folder / "ppocrv6-medium-rec.onnx").symlink_to(locate("ppocrv6-tiny-rec"))
    with pytest.raises(ModelError, match=r"ppocrv6-medium-rec: it tells 6906 classes apart, and .* has 18710"):
        open_text_engine("onnx", "accurate", 1, folder)


def test_a_file_that_is_no_network_is_refused(folder: Path) -> None:
    (folder / "ppocrv6-medium-det.onnx").unlink()
    (folder / "ppocrv6-medium-det.onnx").write_bytes(b"no network")
    with pytest.raises(ModelError, match=r"ppocrv6-medium-det\.onnx: ONNX Runtime cannot load it"):
        open_text_engine("onnx", "accurate", 1, folder)
