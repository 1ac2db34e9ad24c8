"""Train the second recogniser:

    python -m inkgate.engines.plate.training.train_second --trunk clp_v2_c_rec.onnx --dictionary clp_dict.txt --work DIR

Checkpoints and the learning curve (curve.jsonl) are written to DIR; the same command resumes the run. The frozen
convolutions run in ONNX Runtime inside the worker that draws the samples.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.data import IterableDataset, get_worker_info

from inkgate.engines.plate.ensemble import PADDED, to_tensor
from inkgate.engines.plate.training import loop
from inkgate.engines.plate.training.reader_data import ReaderSamples, Sample
from inkgate.engines.plate.training.second_net import TRUNK_END, SecondReader
from inkgate.engines.plate.training.train_reader import LONGEST, exact

Batch = tuple[Tensor, Tensor, Tensor]
"""Features of the convolutions (n, steps, 512), classes (n, LONGEST), lengths (n)."""


class Features:
    """The frozen convolutions of the published network."""

    def __init__(self, published: str) -> None:
        model = onnx.load(published)
        del model.graph.output[:]
        model.graph.output.append(onnx.helper.make_tensor_value_info(TRUNK_END, onnx.TensorProto.FLOAT, None))
        options = ort.SessionOptions()
        options.intra_op_num_threads = 1
        self._session = ort.InferenceSession(model.SerializeToString(), options)

    def __call__(self, samples: list[Sample]) -> Batch:
        strips = to_tensor([sample.image for sample in samples])
        padded = np.pad(strips, ((0, 0), (0, 0), (0, 0), (0, PADDED - strips.shape[3])))
        seen = self._session.run(None, {"x": padded})[0].squeeze(2).transpose(0, 2, 1)
        classes = np.zeros((len(samples), LONGEST), np.int64)
        for row, sample in zip(classes, samples, strict=True):
            row[: len(sample.classes)] = sample.classes
        lengths = torch.tensor([len(sample.classes) for sample in samples])
        return torch.from_numpy(np.ascontiguousarray(seen)), torch.from_numpy(classes), lengths


class Stream(IterableDataset[Batch]):
    """Endless batches; the seed of a worker is (seed, start step, worker), so a resumed run sees new samples."""

    def __init__(self, published: str, seed: int, start: int, batch: int) -> None:
        self.published, self.seed, self.start, self.batch = published, seed, start, batch

    def __iter__(self) -> Iterator[Batch]:
        worker = get_worker_info()
        features = Features(self.published)
        source = ReaderSamples(hash((self.seed, self.start, worker.id if worker else 0)) % (1 << 31))
        while True:
            yield features([source.draw() for _ in range(self.batch)])


def losses(net: SecondReader, batch: Batch) -> tuple[Tensor, dict[str, float]]:
    """CTC loss. A negative sample has an empty text."""
    features, classes, lengths = batch
    probabilities = F.log_softmax(net.read(features), 2)
    steps = torch.full((len(lengths),), probabilities.shape[1])
    ctc = F.ctc_loss(probabilities.transpose(0, 1), classes, steps, lengths, reduction="none", zero_infinity=True)
    return (ctc / lengths.clamp(min=1)).mean(), {}


@torch.no_grad()
def measure(net: nn.Module, batches: list[Batch]) -> dict[str, float]:
    """Greedy exact match on synthetic samples that training does not see."""
    right = sum(exact(net.read(features), classes, lengths) for features, classes, lengths in batches)
    return {"exact": right / sum(int((lengths > 0).sum()) for _, _, lengths in batches)}


def main() -> None:
    command = loop.parser(__doc__, batch=32, rate=5e-4, seed=3)
    command.add_argument("--dictionary", required=True, help="the published network's characters, one a line")
    options = command.parse_args()
    loop.prepare(options)
    net = SecondReader(options.trunk, Path(options.dictionary).read_text("utf8").split())
    judge, features = ReaderSamples(987_654), Features(options.trunk)
    checks = [features([judge.draw() for _ in range(64)]) for _ in range(8)]
    loop.train(
        net,
        options,
        lambda step: Stream(options.trunk, options.seed, step, options.batch),
        lambda batch: losses(net, batch),
        lambda averaged: measure(averaged, checks),
    )


if __name__ == "__main__":
    main()
