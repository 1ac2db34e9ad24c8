"""Width buckets: pads lines to few shapes, for devices that gain from batches (GPUs)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from inkgate.engines.text.recognise import LINE_HEIGHT_PIXELS, MAX_WIDTH

BUCKET_WIDTHS = (160, 320, 480, 640, 960, 1280, 1600, 2400, MAX_WIDTH)  # pixels
BATCH_PIXEL_BUDGET = 32 * 320  # pixels of width in one batch, padding included


@dataclass(frozen=True, slots=True)
class Batch:
    """Lines that form one network input: the width they are padded to, and their indices in the list of lines."""

    width: int
    members: tuple[int, ...]


def rows_per_batch(width: int) -> int:
    """Lines per batch of a bucket: fixed, so that the number of shapes stays small."""
    return max(BATCH_PIXEL_BUDGET // width, 1)


BUCKET_SHAPES = tuple(
    (rows_per_batch(width), 3, LINE_HEIGHT_PIXELS, width) for width in BUCKET_WIDTHS
)  # all input shapes


def plan_batches(widths: Sequence[int]) -> list[Batch]:
    """Batches within the budget, each line in the narrowest bucket that it fits into; narrow buckets first."""
    batches = []
    narrower = 0
    for bucket in BUCKET_WIDTHS:
        members = [at for at, width in enumerate(widths) if narrower < width <= bucket]
        capacity = rows_per_batch(bucket)
        batches += [Batch(bucket, tuple(members[at : at + capacity])) for at in range(0, len(members), capacity)]
        narrower = bucket
    return batches
