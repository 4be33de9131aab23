"""Heads: from the last block's output to the answer of one task.

Notation: ``n`` clips, ``s`` time steps, ``d`` features per step, ``h`` hidden units, ``k`` classes.
"""

import torch
from torch import Tensor, nn

from taskgraft.space.template import AttentionHead, Head


class TemporalAttention(nn.Module):
    """Weighs the time steps of a clip and classifies their weighted sum."""

    def __init__(self, features: int, hidden: int, classes: int) -> None:
        super().__init__()
        self.project = nn.Linear(features, hidden)
        self.score = nn.Linear(hidden, 1)
        self.classify = nn.Linear(hidden, classes)

    def forward(self, steps: Tensor) -> Tensor:
        """Class scores (logits) [n, k] for steps [n, s, d]."""
        hidden = torch.tanh(self.project(steps))  # [n, s, h]
        attention = torch.softmax(self.score(hidden), dim=1)  # [n, s, 1]
        scores: Tensor = self.classify((attention * hidden).sum(dim=1))  # [n, k]
        return scores


class RecurrentFrames(nn.Module):
    """Says for every time step whether the event is there, from that step and all before it."""

    def __init__(self, features: int, hidden: int) -> None:
        super().__init__()
        self.recur = nn.GRU(features, hidden, batch_first=True)
        self.detect = nn.Linear(hidden, 1)

    def forward(self, steps: Tensor) -> Tensor:
        """Scores (logits) [n, s] for steps [n, s, d]."""
        hidden, _ = self.recur(steps)  # [n, s, h]
        scores: Tensor = self.detect(hidden).squeeze(-1)  # [n, s]
        return scores


def build_head(spec: Head, features: int, outputs: int) -> nn.Module:
    """The module of a head specification, for ``features`` numbers per time step."""
    if isinstance(spec, AttentionHead):
        return TemporalAttention(features, spec.hidden, outputs)
    return RecurrentFrames(features, spec.hidden)
