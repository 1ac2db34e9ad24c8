"""A runtime is one module and one row of the table: a tiny one opens every network of a worker."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from inkgate.engines.registry import open_plate_reader, open_reader, open_text_engine
from inkgate.engines.runtimes import onnx
from inkgate.engines.runtimes.interface import CPU, CUDA, Execution, GreedyPath, NotCompiling, Tensor
from inkgate.engines.runtimes.table import RUNTIMES, RuntimeEntry

IMAGE = np.full((480, 640, 3), 255, np.uint8)


class SilentNetwork:
    """Finds nothing, whatever it is asked."""

    classes = None

    def __init__(self, device: str) -> None:
        self.device = device
        self.runs = 0

    def __call__(self, batch: Tensor) -> Tensor:
        self.runs += 1
        count, _, height, width = batch.shape
        return np.full((count, 10, height // 4, width // 4), -20, np.float32)


class SilentArgmaxNetwork:
    classes = None

    def __call__(self, batch: Tensor) -> GreedyPath:
        columns = (len(batch), batch.shape[3] // 8)
        return np.zeros(columns, np.int64), np.ones(columns, np.float32)


class SilentRuntime(NotCompiling):
    """Opens silent networks and remembers how. `loads` is the device that a network ends up on."""

    name, version = "silent", "1.0"

    def __init__(self, device: str = CPU, loads: str = CPU, int8: bool = False) -> None:
        self._device, self._loads, self._int8 = device, loads, int8
        self.opened: list[tuple[SilentNetwork, Execution]] = []
        self.argmax_executions: list[Execution] = []

    def device(self) -> str:
        return self._device

    def int8_is_faster(self) -> bool:
        return self._int8

    def open(self, path: Path, execution: Execution) -> SilentNetwork:
        network = SilentNetwork(self._loads if execution.device == CUDA else CPU)
        self.opened.append((network, execution))
        return network

    def open_argmax(self, path: Path, execution: Execution) -> SilentArgmaxNetwork:
        self.argmax_executions.append(execution)
        return SilentArgmaxNetwork()


def registered(runtime: SilentRuntime, monkeypatch: pytest.MonkeyPatch) -> SilentRuntime:
    """The runtime under its name in the table; ONNX Runtime may open nothing."""

    def refuse(*_: object) -> None:
        raise AssertionError("ONNX Runtime opened a network")

    monkeypatch.setattr(onnx, "_session", refuse)
    monkeypatch.setitem(RUNTIMES, "silent", RuntimeEntry(lambda: runtime))
    return runtime


def test_every_network_of_a_worker_is_opened_by_the_registered_runtime(monkeypatch: pytest.MonkeyPatch) -> None:
    runtime = registered(SilentRuntime(), monkeypatch)
    info = open_reader("silent", "balanced", 2, None, 10_000_000).info
    assert (info.name, info.version, info.device, info.threads) == ("silent", "1.0", CPU, 2)
    assert {"plate-detect", "plate-read", "plate-second", "plate-corners", "ppocrv6-tiny-det-cpu"} <= set(info.models)
    assert len(runtime.opened) == 9  # orientation, two detectors and two recognisers of text; four of plates
    assert {execution for _, execution in runtime.opened} == {Execution(2, CPU)}


def test_texts_and_plates_are_read_through_it(monkeypatch: pytest.MonkeyPatch) -> None:
    runtime = registered(SilentRuntime(), monkeypatch)
    assert open_text_engine("silent", "fast", 1, None).read(IMAGE).lines == ()
    assert open_plate_reader("silent").read(IMAGE) == []
    assert sum(network.runs > 0 for network, _ in runtime.opened) == 3  # orientation and both detectors


def test_a_network_on_demand_is_opened_by_its_first_call(monkeypatch: pytest.MonkeyPatch) -> None:
    runtime = registered(SilentRuntime(int8=True), monkeypatch)
    engine = open_text_engine("silent", "balanced", 1, None)
    assert "ppocrv6-small-rec" in engine.info.models  # verified
    count = len(runtime.opened)
    with pytest.raises((ValueError, IndexError)):  # its answer is no line: that it was asked is what counts
        engine.recognise([IMAGE[:48]])
    assert len(runtime.opened) == count + 1


def test_on_cuda_lines_choose_classes_on_the_device_and_plates_stay_on_the_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    runtime = registered(SilentRuntime(CUDA, CUDA), monkeypatch)
    assert open_text_engine("silent", "balanced", 1, None).info.device == CUDA
    (execution,) = runtime.argmax_executions
    assert execution.device == CUDA and execution.warmed and len(execution.shapes) == 9
    timed = [execution for _, execution in runtime.opened if execution.shapes]
    assert len(timed) == 2 and not any(execution.warmed for execution in timed)  # the two detectors
    runtime.opened.clear()
    open_plate_reader("silent")
    assert {execution.device for _, execution in runtime.opened} == {CPU}


def test_a_device_that_does_not_load_leaves_all_networks_on_the_cpu(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    runtime = registered(SilentRuntime(CUDA, CPU), monkeypatch)
    assert open_text_engine("silent", "balanced", 1, None).info.device == CPU
    devices = [execution.device for _, execution in runtime.opened]
    assert devices[0] == CUDA and set(devices[1:]) == {CPU} and not runtime.argmax_executions
    assert caplog.text.count("CUDA did not load") == 1


OPENERS = (lambda: open_text_engine("none", "fast", 1, None), lambda: open_plate_reader("none"))
SHAPES = ((1, 3, 4, 4),)


@pytest.mark.parametrize("open_engine", OPENERS)
def test_a_name_that_is_not_in_the_table_is_refused(open_engine: object) -> None:
    with pytest.raises(ValueError, match="no runtime 'none'"):
        open_engine()  # type: ignore[operator]


@pytest.mark.parametrize(("device", "shapes", "searches"), [(CUDA, SHAPES, 1), (CUDA, (), 0), (CPU, SHAPES, 0)])
def test_onnx_runtime_times_its_search_on_cuda_where_shapes_are_known(
    monkeypatch: pytest.MonkeyPatch, device: str, shapes: tuple[tuple[int, ...], ...], searches: int
) -> None:
    asked: list[object] = []
    opened: list[tuple[object, ...]] = []

    def open_with_fastest_search(open_network: object, shapes: object, *, warmed: bool) -> object:
        asked.append((shapes, warmed))
        return open_network("EXHAUSTIVE")  # type: ignore[operator]

    monkeypatch.setattr(onnx.cuda, "open_with_fastest_search", open_with_fastest_search)
    monkeypatch.setattr(onnx, "OnnxNetwork", lambda *given: opened.append(given))
    onnx.OnnxRuntime().open(Path("model.onnx"), Execution(3, device, shapes, warmed=True))
    assert asked == [(shapes, True)] * searches
    assert opened == [(Path("model.onnx"), 3, device, "EXHAUSTIVE" if searches else "HEURISTIC")]
