"""Train the reader:  python -m engines.plate.training.train_reader --trunk REC.onnx --dictionary DICT.txt --work DIR

Checkpoints, the curve (curve.jsonl) and the resume state lie in DIR; run the same command again to go on.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils.data import DataLoader, IterableDataset, get_worker_info

from engines.plate.training.export import weights_of
from engines.plate.training.reader_data import ReaderSamples, Sample
from engines.plate.training.reader_net import PlateReader
from engines.plate.training.schedule import rate_at

Batch = tuple[Tensor, Tensor, Tensor, Tensor, Tensor, Tensor]
LONGEST = 8


def collate(samples: list[Sample]) -> Batch:
    """Samples as tensors: picture, classes, lengths, frames, colour, rows."""
    pictures = np.stack([s.picture for s in samples]).transpose(0, 3, 1, 2)
    classes = np.zeros((len(samples), LONGEST), np.int64)
    for row, sample in zip(classes, samples, strict=True):
        row[: len(sample.classes)] = sample.classes
    return (
        torch.from_numpy(np.ascontiguousarray(pictures)),
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


def scaled(pictures: Tensor) -> Tensor:
    return pictures.float() / 127.5 - 1


def losses(net: PlateReader, batch: Batch) -> tuple[Tensor, dict[str, float]]:
    """CTC, the class of each time step, colour and rows."""
    pictures, classes, lengths, frames, colour, rows = batch
    logits, kind, double = net(scaled(pictures))
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
def measure(net: PlateReader, batches: list[Batch]) -> dict[str, float]:
    """Greedy exact match and colour accuracy on synthetic samples that training does not see."""
    right = plates = tints = total = 0
    for pictures, classes, lengths, _, colour, _ in batches:
        logits, kind, _ = net(scaled(pictures))
        best = logits.argmax(2).numpy()
        tints += int((kind.argmax(1) == colour).sum())
        total += len(colour)
        for path, text, length in zip(best, classes.numpy(), lengths.numpy(), strict=True):
            read = [c for k, c in enumerate(path) if c and (k == 0 or path[k - 1] != c)]
            right += length > 0 and read == list(text[:length])
            plates += length > 0
    return {"exact": right / plates, "colour_right": tints / total}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trunk", required=True)
    parser.add_argument("--dictionary", required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--start", type=Path, help="an exported ONNX file whose weights a new run starts from")
    parser.add_argument("--steps", type=int, default=6000, help="steps of the whole schedule")
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--rate", type=float, default=1.5e-3)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--workers", type=int, default=1)
    options = parser.parse_args()
    cv2.setNumThreads(1)  # before the workers are forked: a pool of threads does not survive a fork
    torch.set_num_threads(options.threads)
    torch.manual_seed(options.seed)
    options.work.mkdir(parents=True, exist_ok=True)
    net = PlateReader(options.trunk, Path(options.dictionary).read_text("utf8").rstrip("\n").split("\n"))
    optimiser = torch.optim.AdamW(net.parameters(), lr=options.rate, weight_decay=1e-4)
    average = torch.optim.swa_utils.AveragedModel(net, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(0.99))
    if options.start:
        net.load_state_dict(weights_of(options.start))
        average.module.load_state_dict(net.state_dict())
    state, step = options.work / "state.pt", 0
    if state.exists():
        saved = torch.load(state)
        for part, name in ((net, "net"), (optimiser, "optimiser"), (average, "average")):
            part.load_state_dict(saved[name])
        step = saved["step"]
    judge = ReaderSamples(987_654)
    checks = [collate([judge.draw() for _ in range(64)]) for _ in range(8)]
    stream = Stream(options.seed, step, options.batch)
    loader = DataLoader(stream, batch_size=None, num_workers=options.workers, prefetch_factor=4)
    began = time.time()
    for batch in loader:
        if step >= options.steps:
            break
        loss, parts = losses(net, batch)
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(net.parameters(), 5.0)
        for group in optimiser.param_groups:
            group["lr"] = rate_at(step, options.steps, options.rate)
        optimiser.step()
        average.update_parameters(net)
        step += 1
        if step % 100 == 0 or step == options.steps:
            net.eval()
            line = {
                "step": step,
                "seconds": round(time.time() - began),
                "loss": round(loss.item(), 4),
                **{k: round(v, 4) for k, v in (parts | measure(average.module, checks)).items()},
            }
            net.train()
            with (options.work / "curve.jsonl").open("a") as curve:
                curve.write(json.dumps(line) + "\n")
            torch.save(
                {
                    "net": net.state_dict(),
                    "optimiser": optimiser.state_dict(),
                    "average": average.state_dict(),
                    "step": step,
                },
                state.with_suffix(".new"),
            )
            state.with_suffix(".new").replace(state)


if __name__ == "__main__":
    main()
