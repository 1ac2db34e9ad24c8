"""Train the first recogniser.

    python -m inkgate.engines.plate.training.train_reader --trunk REC.onnx --dictionary DICT.txt --work DIR

Checkpoints and the learning curve (curve.jsonl) are written to DIR; the same command resumes the run.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.data import IterableDataset, get_worker_info

from inkgate.engines.plate.training import loop
from inkgate.engines.plate.training.reader_data import ReaderSamples, Sample
from inkgate.engines.plate.training.reader_net import PlateReader

Batch = tuple[Tensor, Tensor, Tensor, Tensor, Tensor, Tensor]
LONGEST = 8


def collate(samples: list[Sample]) -> Batch:
    """Samples as tensors: image, classes, lengths, frames, colour, rows."""
    images = np.stack([s.image for s in samples]).transpose(0, 3, 1, 2)
    classes = np.zeros((len(samples), LONGEST), np.int64)
    for row, sample in zip(classes, samples, strict=True):
        row[: len(sample.classes)] = sample.classes
    return (
        torch.from_numpy(np.ascontiguousarray(images)),
        torch.from_numpy(classes),
        torch.tensor([len(s.classes) for s in samples]),
        torch.from_numpy(np.stack([s.frames for s in samples])),
        torch.tensor([s.colour for s in samples]),
        torch.tensor([s.rows for s in samples]),
    )


class Stream(IterableDataset[Batch]):
    """Endless batches; the seed of a worker is (seed, start step, worker), so a resumed run sees new samples."""

    def __init__(self, seed: int, start: int, batch: int) -> None:
        self.seed, self.start, self.batch = seed, start, batch

    def __iter__(self) -> Iterator[Batch]:
        worker = get_worker_info()
        source = ReaderSamples(hash((self.seed, self.start, worker.id if worker else 0)) % (1 << 31))
        while True:
            yield collate([source.draw() for _ in range(self.batch)])


def checks_of(count: int) -> list[Batch]:
    """Fixed validation batches that are not part of the training stream."""
    judge = ReaderSamples(987_654)
    return [collate([judge.draw() for _ in range(64)]) for _ in range(count)]


def scaled(images: Tensor) -> Tensor:
    return images.float() / 127.5 - 1


def losses(net: PlateReader, batch: Batch) -> tuple[Tensor, dict[str, float]]:
    """Sum of the losses of CTC, time step class, background colour and rows; and its parts."""
    images, classes, lengths, frames, colour, rows = batch
    logits, kind, double = net(scaled(images))
    probabilities = F.log_softmax(logits, 2)
    steps = torch.full((len(lengths),), logits.shape[1])
    ctc = F.ctc_loss(probabilities.transpose(0, 1), classes, steps, lengths, reduction="none", zero_infinity=True)
    ctc = (ctc / lengths.clamp(min=1)).mean()
    aligned = F.nll_loss(probabilities.flatten(0, 1), frames.flatten(), ignore_index=-1)
    colours = F.cross_entropy(kind, colour)
    known = rows > 0
    doubles = F.binary_cross_entropy_with_logits(double[known, 0], (rows[known] == 2).float())
    total = ctc + 0.5 * aligned + 0.5 * colours + 0.2 * doubles
    return total, {"ctc": ctc.item(), "frames": aligned.item(), "colour": colours.item(), "rows": doubles.item()}


@torch.no_grad()
def measure(net: nn.Module, batches: list[Batch]) -> dict[str, float]:
    """Greedy exact match and colour accuracy on synthetic samples that training does not see."""
    right = plates = tints = total = 0
    for images, classes, lengths, _, colour, _ in batches:
        logits, kind, _ = net(scaled(images))
        tints += int((kind.argmax(1) == colour).sum())
        total += len(colour)
        right += exact(logits, classes, lengths)
        plates += int((lengths > 0).sum())
    return {"exact": right / plates, "colour_right": tints / total}


def exact(logits: Tensor, classes: Tensor, lengths: Tensor) -> int:
    """Plates of a batch whose best path is the right text; samples without a plate do not count."""
    right = 0
    for path, text, length in zip(logits.argmax(2).numpy(), classes.numpy(), lengths.numpy(), strict=True):
        read = [c for k, c in enumerate(path) if c and (k == 0 or path[k - 1] != c)]
        right += length > 0 and read == list(text[:length])
    return right


def main() -> None:
    command = loop.parser(__doc__, batch=64, rate=1.5e-3, seed=1)
    command.add_argument("--dictionary", required=True, help="the trunk's characters, one a line")
    options = command.parse_args()
    loop.prepare(options)
    net = PlateReader(options.trunk, Path(options.dictionary).read_text("utf8").rstrip("\n").split("\n"))
    checks = checks_of(8)
    loop.train(
        net,
        options,
        lambda step: Stream(options.seed, step, options.batch),
        lambda batch: losses(net, batch),
        lambda averaged: measure(averaged, checks),
    )


if __name__ == "__main__":
    main()
