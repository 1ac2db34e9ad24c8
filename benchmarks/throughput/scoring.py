"""Accuracy by a scoring program that the caller names."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from typing import Any

KEPT = ("N", "F", "hit", "char", "line", "order", "strict")


def accuracy(program: Path, labels_file: Path, predictions: dict[str, list[dict[str, Any]]]) -> dict[str, Any]:
    """Rates per category and over ALL, of the pictures that were read. `predictions` holds lines by file name."""
    spec = importlib.util.spec_from_file_location("scoring_program", program)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    lines = labels_file.read_text(encoding="utf-8").splitlines()
    labels = [label for label in map(json.loads, filter(None, lines)) if label["file"] in predictions]
    rates, _ = module.score(labels, predictions)
    return {category: {key: round(rate[key], 4) for key in KEPT} for category, rate in rates.items()}
