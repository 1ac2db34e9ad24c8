"""On a CPU one process per core and one image at a time; on a GPU one process with several images."""

from importlib import metadata
from pathlib import Path

import pytest

from inkgate.service.settings import Engine, Settings, Worker
from inkgate.service.worker import policy
from inkgate.service.worker.process import usable_cores


def settings(runtime: str = "onnx", **worker: int) -> Settings:
    return Settings(engine=Engine(runtime=runtime), worker=Worker(**worker))  # type: ignore[arg-type]


def test_on_a_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(policy, "has_gpu", lambda: False)
    assert (policy.process_count(settings()), policy.concurrency(settings())) == (usable_cores(), 1)


def test_on_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(policy, "has_gpu", lambda: True)
    assert (policy.process_count(settings()), policy.concurrency(settings())) == (1, 8)
    # PaddleOCR runs on the CPU.
    assert (policy.process_count(settings("paddle")), policy.concurrency(settings("paddle"))) == (usable_cores(), 1)


def test_explicit_settings_win(monkeypatch: pytest.MonkeyPatch) -> None:
    for gpu in (False, True):
        monkeypatch.setattr(policy, "has_gpu", lambda gpu=gpu: gpu)
        chosen = settings(processes=3, at_once=2)
        assert (policy.process_count(chosen), policy.concurrency(chosen)) == (3, 2)


def test_a_gpu_needs_a_device_and_a_cuda_build(monkeypatch: pytest.MonkeyPatch) -> None:
    def installed(name: str) -> object:
        if name == "onnxruntime-gpu" and build:
            return object()
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "distribution", installed)
    for build, card in ((False, True), (True, False), (True, True)):
        monkeypatch.setattr(Path, "glob", lambda self, pattern, card=card: iter([Path("/dev/nvidia0")] * card))
        monkeypatch.setattr(Path, "exists", lambda self: False)
        assert policy.has_gpu() is (build and card)
