"""Lines of many widths in few shapes, for devices that gain from batches and pay for each new shape (GPUs)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from inkgate.engines.text.recognise import HEIGHT, MAX_WIDTH

WIDTHS = (160, 320, 480, 640, 960, 1280, 1600, 2400, MAX_WIDTH)  # pixels
BUDGET = 32 * 320  # pixels of width in one batch, padding included


@dataclass(frozen=True, slots=True)
class Batch:
    """Lines that go through the network together: the width they are padded to, and their places in the input."""

    width: int
    members: tuple[int, ...]


def size(width: int) -> int:
    """How many lines of a bucket's width go into one batch: a fixed number, so that shapes stay few."""
    return max(BUDGET // width, 1)


LINES = tuple((size(width), 3, HEIGHT, width) for width in WIDTHS)  # every shape that the network meets


def plan(widths: Sequence[int]) -> list[Batch]:
    """Every line in the narrowest bucket that holds it, cut into batches within the budget, narrow ones first."""
    batches = []
    narrower = 0
    for bucket in WIDTHS:
        members = [at for at, width in enumerate(widths) if narrower < width <= bucket]
        most = size(bucket)
        batches += [Batch(bucket, tuple(members[at : at + most])) for at in range(0, len(members), most)]
        narrower = bucket
    return batches
