"""The training loop: options, learning-rate schedule, weight averaging, checkpoints, learning curve, resuming."""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import cv2
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, IterableDataset

from inkgate.engines.plate.training.export import weights_of

EVERY = 100
"""Steps between two evaluations and checkpoints."""


def parser(description: str | None, *, batch: int, rate: float, seed: int) -> argparse.ArgumentParser:
    """Command line options of every training, with the defaults given."""
    made = argparse.ArgumentParser(description=description)
    made.add_argument("--trunk", required=True, help="published ONNX file with the initial weights of the trunk")
    made.add_argument("--work", type=Path, required=True, help="folder of checkpoint and learning curve")
    made.add_argument("--start", type=Path, help="exported ONNX file with the initial weights of a new run")
    made.add_argument("--steps", type=int, default=6000, help="steps of the learning-rate schedule")
    made.add_argument("--batch", type=int, default=batch)
    made.add_argument("--rate", type=float, default=rate)
    made.add_argument("--seed", type=int, default=seed)
    made.add_argument("--threads", type=int, default=1)
    made.add_argument("--workers", type=int, default=1)
    return made


def prepare(options: argparse.Namespace) -> None:
    """Set threads and seed. Call before workers are forked: a thread pool does not survive a fork."""
    cv2.setNumThreads(1)
    torch.set_num_threads(options.threads)
    torch.manual_seed(options.seed)
    options.work.mkdir(parents=True, exist_ok=True)


def rate_at(step: int, steps: int, rate: float) -> float:
    """Learning rate: linear warm-up over 40 steps, constant, linear decay to 2 % over the last 40 %. A run that is
    resumed with more steps returns to the constant part."""
    left = (steps - step) / (0.4 * steps)
    return rate * min(1.0, (step + 1) / 40) * min(1.0, max(0.02, left))


def train(
    net: nn.Module,
    options: argparse.Namespace,
    stream: Callable[[int], IterableDataset[Any]],
    losses: Callable[[Any], tuple[Tensor, dict[str, float]]],
    measure: Callable[[nn.Module], dict[str, float]],
) -> None:
    """Train `net` up to `options.steps`. `stream` gives batches from a step on, `losses` the loss of a batch and its
    parts for the learning curve, `measure` the metrics of the averaged network."""
    learning = [p for p in net.parameters() if p.requires_grad]
    optimiser = torch.optim.AdamW(learning, lr=options.rate, weight_decay=1e-4)
    average = torch.optim.swa_utils.AveragedModel(net, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(0.99))
    if options.start:
        net.load_state_dict(weights_of(options.start))
        average.module.load_state_dict(net.state_dict())
    parts_of_state = {"net": net, "optimiser": optimiser, "average": average}
    step = _resume(options.work / "state.pt", parts_of_state)
    loader: Iterable[Any] = DataLoader(stream(step), batch_size=None, num_workers=options.workers, prefetch_factor=4)
    began = time.time()
    for batch in loader:
        if step >= options.steps:
            break
        loss, parts = losses(batch)
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(learning, 5.0)
        for group in optimiser.param_groups:
            group["lr"] = rate_at(step, options.steps, options.rate)
        optimiser.step()
        average.update_parameters(net)
        step += 1
        if step % EVERY == 0 or step == options.steps:
            net.eval()
            line = {"step": step, "seconds": round(time.time() - began), "loss": loss.item()}
            line |= parts | measure(average.module)
            net.train()
            with (options.work / "curve.jsonl").open("a") as curve:
                curve.write(json.dumps({k: round(v, 4) for k, v in line.items()}) + "\n")
            _save(options.work / "state.pt", parts_of_state, step)


def _resume(state: Path, parts: dict[str, Any]) -> int:
    if not state.exists():
        return 0
    saved = torch.load(state)
    for name, part in parts.items():
        part.load_state_dict(saved[name])
    return int(saved["step"])


def _save(state: Path, parts: dict[str, Any], step: int) -> None:
    """Write the checkpoint atomically: an interrupted run keeps the previous one."""
    torch.save({name: part.state_dict() for name, part in parts.items()} | {"step": step}, state.with_suffix(".new"))
    state.with_suffix(".new").replace(state)
