"""What the benchmarks make of their samples."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks.memory import trend
from benchmarks.metering.chain import leave_unchained
from benchmarks.metering.chain import summary as chain_summary
from benchmarks.throughput.__main__ import plot
from benchmarks.throughput.capabilities import files, measure, spread
from benchmarks.throughput.interleaved import Engine, image_files, run, summary
from benchmarks.throughput.isa.__main__ import ratio


class Scripted(Engine):
    """An engine whose process is not started: each image costs what its name says times the engine's factor."""

    log: list[str]

    def start(self) -> None:
        pass

    def stop(self) -> None:
        self.log.append(f"stop {self.name}")

    def read(self, image: Path) -> dict[str, object]:
        self.log.append(f"{self.name} {image.name}")
        return {"cpu": float(image.stem) * int(self.name), "wall": 1.0, "rss_mib": 10.0, "lines": [{}] * 4}


def scripted(name: str, log: list[str]) -> Scripted:
    engine = Scripted(name, [])
    engine.log = log
    return engine


def test_engines_take_turns_at_each_image_and_rotate() -> None:
    log: list[str] = []
    engines = [scripted("1", log), scripted("2", log)]
    rounds = list(run(engines, [Path("3.png"), Path("5.png")], 2))
    assert rounds == [1, 2]
    assert log == [
        *("1 3.png", "2 3.png"),  # warm-up
        *("1 3.png", "2 3.png", "2 5.png", "1 5.png"),
        *("2 3.png", "1 3.png", "1 5.png", "2 5.png"),
        *("stop 1", "stop 2"),
    ]
    assert summary(engines[1]) == {
        "cpu_seconds_per_image": 8.0,
        "wall_seconds_per_image": 1.0,
        "lines_per_cpu_second": 0.5,
        "peak_rss_mib": 10.0,
    }
    assert ratio(engines[1], engines[0]) == 2.0


def test_folders_give_their_files_in_order(tmp_path: Path) -> None:
    for name in ("b.png", "a.png"):
        (tmp_path / name).touch()
    assert image_files([tmp_path]) == [tmp_path / "a.png", tmp_path / "b.png"]


def test_documents_are_chosen_by_their_label(tmp_path: Path) -> None:
    for name in ("a.png", "b.png", "notes.txt"):
        (tmp_path / name).touch()
    labels = [{"file": "a.png", "doc": "idcard"}, {"file": "b.png", "doc": "bizlicense"}]
    (tmp_path / "labels.jsonl").write_text("\n".join(map(json.dumps, labels)) + "\n")
    assert files(tmp_path, "bizlicense") == [tmp_path / "b.png"]
    assert len(files(tmp_path, "")) == 2
    with pytest.raises(ValueError, match="no image to read"):
        files(tmp_path, "passport")


def test_images_are_spread_over_the_whole_set() -> None:
    paths = [Path(str(number)) for number in range(10)]
    assert spread(paths, 5) == paths[::2]
    assert spread(paths, 20) == paths


def test_capabilities_are_read_in_turn(tmp_path: Path) -> None:
    class Reader:
        def __init__(self) -> None:
            self.asked: list[str] = []

        def read(self, capability: str, data: bytes) -> None:
            self.asked.append(f"{capability} {data.decode()}")

    paths = []
    for name in ("1", "2"):
        (tmp_path / name).write_text(name)
        paths.append(tmp_path / name)
    reader = Reader()
    seconds = measure(reader, {"general": paths, "plate": paths[:1]}, 1)  # type: ignore[arg-type]
    assert reader.asked == ["general 1", "plate 1", "general 1", "plate 1", "general 2"]
    assert {name: len(each) for name, each in seconds.items()} == {"general": 2, "plate": 1}


def test_the_cost_of_the_chain_is_the_median_of_the_pairs() -> None:
    def turn(us: float) -> dict[str, float]:
        return {"calls": 1000, "gateway_cpu": 0.6 * us / 1000, "postgres_cpu": 0.4 * us / 1000}

    pairs = [{"chained": turn(with_chain), "unchained": turn(100.0)} for with_chain in (103.0, 101.0, 110.0)]
    found = chain_summary(pairs)
    assert (found["cpu_ratio_median"], found["cpu_ratio_quartiles"]) == (1.03, [1.02, 1.065])
    assert (found["cpu_ratio_of_all"], found["cpu_us_per_call"]["unchained"]) == (1.047, 100.0)


def test_entries_without_the_chain_have_no_hash() -> None:
    lines = [{"seq": 1}, {"seq": 2}]
    assert leave_unchained(b"x", 7, lines) == (None, None)
    assert lines == [{"seq": 1, "chain": None}, {"seq": 2, "chain": None}]


def test_figures_from_the_machine_with_amx_are_scaled_to_this_run() -> None:
    row = {"cpu_seconds_per_image": 1.0, "accuracy": {"ALL": {"char": 0.98}}}
    svg = plot({"inkgate balanced": row})
    assert "inkgate best, bfloat16 (elsewhere)" in svg
    assert "elsewhere" not in plot({"other": row})


@pytest.mark.parametrize(("step", "rise"), [(0.0, 0.0), (0.5, 80.0)])
def test_memory_rises_by_the_trend_of_the_late_samples(step: float, rise: float) -> None:
    samples = {1: 240.0, **{number: 300.0 + step * number for number in range(20, 261, 20)}}
    assert trend(samples) == {"rise_mib": rise, "scatter_mib": 0.0}
    assert trend({1: 240.0, 20: 300.0}) == {}
