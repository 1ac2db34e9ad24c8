"""Several engines on the same images, interleaved image by image, and the figures of each."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.throughput.child import Child


def image_files(paths: Sequence[Path]) -> list[Path]:
    """The files among `paths` and those of the folders among them, in order of their paths."""
    return sorted(file for path in paths for file in (path.iterdir() if path.is_dir() else [path]))


@dataclass
class Engine(Child):
    """One engine and its answers: answers[image name] is a list with one entry per round."""

    answers: dict[str, list[dict[str, Any]]] = field(default_factory=dict)


def run(chosen: list[Engine], images: list[Path], rounds: int) -> Iterator[int]:
    """Read all images with all engines and store the answers. The first image is also read once as warm-up.

    Yields the number of rounds done after each of them.
    """
    for engine in chosen:
        engine.start()
        engine.read(images[0])
    for number in range(rounds):
        for at, image in enumerate(images):
            first = (number + at) % len(chosen)  # rotate the order
            for engine in chosen[first:] + chosen[:first]:
                engine.answers.setdefault(image.name, []).append(engine.read(image))
        print(f"round {number + 1} of {rounds}", file=sys.stderr, flush=True)
        yield number + 1
    for engine in chosen:
        engine.stop()


def summary(engine: Engine) -> dict[str, Any]:
    """Means over images of the medians over rounds, in seconds; lines per CPU second; peak memory in MiB."""
    cpu = [median(answer["cpu"] for answer in rounds) for rounds in engine.answers.values()]
    wall = [median(answer["wall"] for answer in rounds) for rounds in engine.answers.values()]
    lines = [len(rounds[-1]["lines"]) for rounds in engine.answers.values()]
    return {
        "cpu_seconds_per_image": sum(cpu) / len(cpu),
        "wall_seconds_per_image": sum(wall) / len(wall),
        "lines_per_cpu_second": sum(lines) / sum(cpu),
        "peak_rss_mib": max(answer["rss_mib"] for rounds in engine.answers.values() for answer in rounds),
    }
