"""Accuracy on drawn cards and licences, by kind.

    python -m benchmarks.accuracy.documents_field [--kind TEXT] [--json FILE] [--show] [--images DIR]

An answer passes when every field equals one of the accepted answers. --images writes the drawn images to a folder.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import unicodedata
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import cv2

from benchmarks.accuracy.documents_field import cards, licences, others
from benchmarks.accuracy.documents_field.drawing import Case
from benchmarks.machine import facts
from inkgate.engines.idcard import read_idcard
from inkgate.engines.interfaces import TextEngine
from inkgate.engines.licence import read_licence
from inkgate.engines.registry import open_text_engine

READERS: dict[str, Callable[..., Any]] = {"idcard": read_idcard, "licence": read_licence}


def all_cases() -> Iterator[Case]:
    """Every drawn card, other document and licence."""
    for each in (cards, others, licences):
        yield from each.cases()


def differences(case: Case, answer: dict[str, Any]) -> dict[str, tuple[Any, Any]]:
    """Field -> (accepted, answered) for the accepted answer with the fewest differences; {} for a pass."""

    def fold(value: Any) -> Any:
        return unicodedata.normalize("NFKC", value) if isinstance(value, str) else value

    def against(accepted: dict[str, Any]) -> dict[str, tuple[Any, Any]]:
        return {k: (v, answer.get(k)) for k, v in accepted.items() if fold(v) != fold(answer.get(k))}

    return min((against(accepted) for accepted in case.accepted), key=len)


def judge(engine: TextEngine, cases: Iterable[Case]) -> Iterator[tuple[Case, dict[str, tuple[Any, Any]]]]:
    """Each case with the differences of its answer."""
    for case in cases:
        yield case, differences(case, dataclasses.asdict(READERS[case.capability](engine, case.image)))


def main(engine: TextEngine | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kind", default="", help="only kinds that contain this text")
    parser.add_argument("--json", type=Path, help="write the result to this file")
    parser.add_argument("--show", action="store_true", help="print the differences")
    parser.add_argument("--images", type=Path, help="write the images to this folder")
    options = parser.parse_args()
    engine = engine or open_text_engine("onnx", "balanced", 1, None)
    passed: dict[str, list[bool]] = defaultdict(list)
    for case, wrong in judge(engine, (c for c in all_cases() if options.kind in c.kind)):
        passed[case.kind].append(not wrong)
        if options.show and wrong:
            print(f"{case.kind} / {case.variant}: {wrong}", flush=True)
        if options.images:
            options.images.mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(options.images / f"{case.kind}_{case.variant[:30]}.jpg".replace("/", "-")), case.image)
    kinds = {kind: {"passed": sum(v), "of": len(v)} for kind, v in passed.items()}
    for kind, n in kinds.items():
        print(f"{kind:28s}{n['passed']:4d} / {n['of']}")
    if options.json:
        result = {"kinds": kinds, "machine": facts("onnxruntime", "numpy")}
        options.json.write_text(json.dumps(result, ensure_ascii=False, indent=1) + "\n", "utf8")


if __name__ == "__main__":
    main()
