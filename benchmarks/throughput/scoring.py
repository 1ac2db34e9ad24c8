"""Accuracy as computed by an external scoring program."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from typing import Any

RATES = ("N", "F", "hit", "char", "line", "order", "strict")


def accuracy(program: Path, labels_file: Path, predictions: dict[str, list[dict[str, Any]]]) -> dict[str, Any]:
    """Rates per category and over ALL for the images in `predictions`, which holds text lines by file name.

    `program` is a Python file with `score(labels, predictions)`; `labels_file` holds one JSON object per line.
    """
    spec = importlib.util.spec_from_file_location("scoring_program", program)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    lines = labels_file.read_text(encoding="utf-8").splitlines()
    labels = [label for label in map(json.loads, filter(None, lines)) if label["file"] in predictions]
    rates, _ = module.score(labels, predictions)
    return {category: {key: round(rate[key], 4) for key in RATES} for category, rate in rates.items()}
