"""Networks compiled for fixed shapes: which input runs where, and that it reads as ONNX Runtime does.

The networks are compiled in float32 here, which OpenVINO has on every x86; bfloat16 differs in rounding only.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from inkgate.engines.manifest import find_model_file
from inkgate.engines.runtimes import openvino
from inkgate.engines.runtimes.interface import CPU, Execution, RunNetwork, Shape, Tensor
from inkgate.engines.runtimes.onnx import OnnxRuntime
from inkgate.engines.runtimes.openvino import F32, OpenVinoRuntime, crop_output, pad, smallest_that_holds
from inkgate.engines.text.detect import DetectOptions, Detector
from inkgate.engines.types import MemoryGrowth, Quad

FILE = Path("network.onnx")
SHAPES: tuple[Shape, ...] = ((1, 3, 48, 160), (1, 3, 48, 224), (1, 3, 48, 320))
PAGES: tuple[Shape, ...] = ((1, 3, 736, 992), (1, 3, 992, 736), (1, 3, 1216, 1696))


def line_output(batch: Tensor) -> Tensor:
    """What a recogniser of two classes might give: columns of 8 pixels."""
    columns = -((4 - batch.shape[3]) // 8)
    return np.stack([batch[:, 0, 0, : 8 * columns : 8], batch[:, 1, 0, : 8 * columns : 8]], axis=2)


class Fallback:
    """A network that counts its runs."""

    device, classes = CPU, 2

    def __init__(self) -> None:
        self.runs = 0

    def __call__(self, batch: Tensor) -> Tensor:
        self.runs += 1
        return line_output(batch) if batch.shape[2] == 48 else batch[:, :1]


class Compiled:
    def __init__(self, shape: Shape) -> None:
        self.shape = shape
        self.runs = self.releases = 0

    def __call__(self, batch: Tensor) -> Tensor:
        self.runs += 1
        padded = pad(batch, self.shape)
        output = line_output(padded) if self.shape[2] == 48 else padded[:, :1]
        return crop_output(output, batch.shape, self.shape)

    def release_activations(self) -> None:
        self.releases += 1


class FakeCompiler:
    """Compiles at once, unless `gate` is closed; fails for the shapes `broken`."""

    def __init__(self, broken: tuple[Shape, ...] = (), error: Exception | None = None) -> None:
        self.broken, self.error = broken, error or RuntimeError("no such layer")
        self.compiled: list[Compiled] = []
        self.gate = threading.Event()
        self.gate.set()
        self.forgotten = False

    def __call__(self, path: Path, shape: Shape) -> Compiled:
        assert self.gate.wait(10)
        if shape in self.broken:
            raise self.error
        self.compiled.append(Compiled(shape))
        return self.compiled[-1]

    def forget_files(self) -> None:
        self.forgotten = True


@pytest.fixture(autouse=True)
def faster(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(openvino, "_is_faster", lambda entry, fallback: True)


def line(width: int, seed: int = 0) -> Tensor:
    return np.random.default_rng(seed).random((1, 3, 48, width), np.float32)


def test_the_smallest_shape_that_holds_an_input_runs_it_and_what_none_holds_runs_on_the_fallback() -> None:
    compiler, fallback = FakeCompiler(), Fallback()
    runtime = OpenVinoRuntime(compiler=compiler)
    network = runtime.compiled(FILE, SHAPES, fallback)
    assert network(line(160)).shape == (1, 20, 2) and fallback.runs == 1  # nothing is compiled before the start
    runtime.start()
    assert runtime.wait(10) and compiler.forgotten
    for width, at in ((160, 0), (161, 1), (224, 1), (225, 2), (320, 2)):
        before = compiler.compiled[at].runs
        assert np.array_equal(network(line(width)), line_output(line(width)))
        assert compiler.compiled[at].runs == before + 1
    assert fallback.runs == 1
    for outside in (line(321), line(99), np.zeros((2, 3, 48, 160), np.float32)):  # 99: padded too far
        network(outside)
    assert fallback.runs == 4


@given(st.integers(1, 60), st.integers(1, 60), st.lists(st.tuples(st.integers(1, 80), st.integers(1, 80)), max_size=6))
def test_the_chosen_shape_holds_the_input_and_is_the_smallest_within_the_bound(
    height: int, width: int, sizes: list[tuple[int, int]]
) -> None:
    table = [Compiled((1, 3, *size)) for size in sizes]
    chosen = smallest_that_holds(table, (1, 3, height, width))
    bound = openvino.MAX_PADDED_AREA * height * width
    fits = [rows * columns for rows, columns in sizes if rows >= height and columns >= width]
    if chosen is None:
        assert all(area > bound for area in fits)
    else:
        assert chosen.shape[2] >= height and chosen.shape[3] >= width
        assert chosen.shape[2] * chosen.shape[3] == min(fits) <= bound


@given(st.integers(1, 40), st.integers(1, 40), st.integers(0, 12), st.integers(0, 12))
def test_padding_adds_zeros_and_cropping_takes_them_away(height: int, width: int, below: int, right: int) -> None:
    batch = np.random.default_rng(height).random((1, 3, height, width), np.float32)
    shape = (1, 3, height + below, width + right)
    padded = pad(batch, shape)
    assert padded.shape == shape and padded.flags.c_contiguous and padded.sum() == pytest.approx(batch.sum(), rel=1e-5)
    assert np.array_equal(crop_output(padded, batch.shape, shape), batch)


def test_a_shape_that_does_not_compile_leaves_its_network_with_those_before_it(
    caplog: pytest.LogCaptureFixture,
) -> None:
    compiler, fallback = FakeCompiler(broken=(SHAPES[1],), error=MemoryError("limit")), Fallback()
    runtime = OpenVinoRuntime(compiler=compiler)
    lines, pages = runtime.compiled(FILE, SHAPES, fallback), runtime.compiled(FILE, PAGES, fallback)
    runtime.start()
    assert runtime.wait(10)
    assert lines.compiled_shapes == SHAPES[:1] and pages.compiled_shapes == PAGES  # type: ignore[attr-defined]
    assert caplog.text.count("network.onnx is not compiled for (1, 3, 48, 224)") == 1
    assert np.array_equal(lines(line(200)), line_output(line(200))) and fallback.runs == 1


def test_a_network_that_is_not_faster_is_not_compiled_further(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    spent = {"now": 0.0}
    monkeypatch.setattr(openvino.time, "thread_time", lambda: spent["now"])

    class Timed(Compiled):
        def __call__(self, batch: Tensor) -> Tensor:
            spent["now"] += 0.97 if self.shape[2] == 48 else 0.9
            return super().__call__(batch)

    class TimedFallback(Fallback):
        def __call__(self, batch: Tensor) -> Tensor:
            spent["now"] += 1.0
            return super().__call__(batch)

    class TimedCompiler(FakeCompiler):
        def __call__(self, path: Path, shape: Shape) -> Compiled:
            self.compiled.append(Timed(shape))
            return self.compiled[-1]

    compiler = TimedCompiler()
    runtime = OpenVinoRuntime(compiler=compiler)
    lines, pages = (runtime.compiled(FILE, shapes, TimedFallback()) for shapes in (SHAPES, PAGES))
    runtime.start()
    assert runtime.wait(10)
    assert lines.compiled_shapes == () and pages.compiled_shapes == PAGES  # type: ignore[attr-defined]
    assert [entry.shape for entry in compiler.compiled] == [SHAPES[0], *PAGES]


def test_a_file_of_another_family_is_not_used(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.undo()
    runtime = OpenVinoRuntime(compiler=FakeCompiler())
    network = runtime.compiled(FILE, SHAPES, lambda batch: np.zeros((1, 20, 7), np.float32))
    runtime.start()
    assert runtime.wait(10) and network.compiled_shapes == ()  # type: ignore[attr-defined]
    assert "its output is (1, 20, 2), and (1, 20, 7) that of the network in use" in caplog.text


def test_calls_run_on_the_fallback_while_shapes_are_compiled_and_read_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    compiler, fallback = FakeCompiler(), Fallback()
    compiler.gate.clear()
    runtime = OpenVinoRuntime(compiler=compiler)
    network = runtime.compiled(FILE, SHAPES, fallback)
    runtime.start()
    runtime.start()  # a second call changes nothing
    assert not runtime.wait(0.01)
    wanted = [(line(width, width), line_output(line(width, width))) for width in range(150, 320, 3)]
    with ThreadPoolExecutor(4) as threads:
        answers = [threads.submit(lambda: [network(batch) for batch, _ in wanted]) for _ in range(8)]
        compiler.gate.set()
        for answer in answers:
            assert all(np.array_equal(got, right) for got, (_, right) in zip(answer.result(10), wanted, strict=True))
    assert runtime.wait(10) and [entry.shape for entry in compiler.compiled] == list(SHAPES)


def test_closing_ends_the_thread_after_the_shape_in_hand() -> None:
    compiler = FakeCompiler()
    compiler.gate.clear()
    runtime = OpenVinoRuntime(compiler=compiler)
    network = runtime.compiled(FILE, SHAPES, Fallback())
    runtime.start()
    closing = threading.Thread(target=runtime.close)
    closing.start()
    compiler.gate.set()
    closing.join(10)
    assert not closing.is_alive() and runtime.wait(0)
    assert len(network.compiled_shapes) <= 1  # type: ignore[attr-defined]
    OpenVinoRuntime(compiler=compiler).close()  # without a start there is nothing to end


def test_memory_grows_with_the_named_shapes() -> None:
    runtime = OpenVinoRuntime(compiler=FakeCompiler())
    assert runtime.growth == MemoryGrowth()
    runtime.compiled(FILE, SHAPES, Fallback())
    one = runtime.growth
    runtime.compiled(FILE, PAGES, Fallback())
    assert 0 < one.resident_mib < one.data_mib and runtime.growth.data_mib == 2 * one.data_mib
    runtime.start()
    assert runtime.wait(10) and runtime.growth == MemoryGrowth()  # it has what it needs


def opened(name: str, shapes: tuple[Shape, ...]) -> tuple[RunNetwork, RunNetwork]:
    """The network on ONNX Runtime, and compiled by OpenVINO in float32."""
    runtime = OpenVinoRuntime(F32)
    path = find_model_file(name, None)
    plain = OnnxRuntime().open(path, Execution())
    compiled = runtime.compiled(path, shapes, runtime.open(path, Execution()))
    runtime.start()
    assert runtime.wait(120)
    assert compiled.compiled_shapes == shapes  # type: ignore[attr-defined]
    return plain, compiled


def test_a_recogniser_gives_the_outputs_of_onnx_runtime_for_every_width() -> None:
    plain, compiled = opened("ppocrv6-tiny-rec", (SHAPES[0], SHAPES[2]))
    for width in (160, 320):
        assert np.abs(compiled(line(width)) - plain(line(width))).max() < 1e-3
    for width in (155, 161, 164, 165, 171, 199, 250, 319):  # padded: the columns count as those of the width itself
        assert compiled(line(width)).shape == plain(line(width)).shape
    first, second = compiled(line(200, 1)), compiled(line(310, 2))
    assert np.array_equal(first, compiled(line(200, 1))) and first is not second  # an answer is not overwritten


def test_a_detector_finds_the_same_lines_on_a_padded_page() -> None:
    page = np.full((480, 640, 3), 250, np.uint8)
    for row in range(60, 440, 60):
        cv2.putText(page, f"Line {row} of the page", (40, row), cv2.FONT_HERSHEY_SIMPLEX, 1.0, (20, 20, 20), 2)
    plain, compiled = opened("ppocrv6-tiny-det", ((1, 3, 512, 704),))
    options = DetectOptions(short_side=480)
    expected, found = (sorted(Detector(network, options)(page), key=top) for network in (plain, compiled))
    assert len(expected) == 7
    assert np.abs(np.array(found) - np.array(expected)).max() < 4  # pixels
    batch = np.zeros((1, 3, 512, 704), np.float32)
    assert np.abs(compiled(batch) - plain(batch)).max() < 1e-3


def top(quad: Quad) -> float:
    return min(y for _, y in quad)


def test_threads_share_a_compiled_network() -> None:
    _, compiled = opened("ppocrv6-tiny-rec", SHAPES[:1])
    lines = [line(160, seed) for seed in range(12)]
    wanted = [compiled(one) for one in lines]
    with ThreadPoolExecutor(4) as threads:
        for _ in range(3):
            assert all(map(np.array_equal, threads.map(compiled, lines), wanted))


def test_a_process_may_end_while_networks_are_compiled() -> None:
    code = """
import time
from inkgate.engines.manifest import find_model_file
from inkgate.engines.runtimes import openvino
from inkgate.engines.runtimes.interface import Execution
from inkgate.engines.runtimes.openvino import F32, OpenVinoRuntime
openvino._is_faster = lambda entry, fallback: True  # in float32 that is not sure
runtime, path = OpenVinoRuntime(F32), find_model_file("ppocrv6-tiny-rec", None)
network = runtime.compiled(path, [(1, 3, 48, width) for width in range(160, 1600, 32)], runtime.open(path, Execution()))
runtime.start()
while not network.compiled_shapes:
    time.sleep(0.01)
print(runtime.wait(0))
"""
    environment = {"PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, timeout=240)
    assert (done.returncode, done.stdout, done.stderr) == (0, "False\n", "")


def test_the_runtime_names_openvino_and_its_device() -> None:
    runtime = OpenVinoRuntime()
    assert (runtime.name, runtime.device()) == ("openvino", CPU) and runtime.version.startswith("20")
    assert runtime.int8_is_faster() == OnnxRuntime().int8_is_faster()
