"""Heads: from the last block's output to the answer of one task, one builder per kind of head specification.

Notation: ``n`` clips, ``c`` channels, ``f`` bands, ``s`` time steps, ``d`` features per step (c * f), ``h`` hidden
units, ``k`` outputs. Every module takes [n, c, f, s]; those for clips give [n, k], those for time steps [n, s, k].
"""

from functools import singledispatch

import torch
from torch import Tensor, nn

from taskgraft.evaluators.models.blocks import build_layer
from taskgraft.space import heads
from taskgraft.space.layers import Shape

_LEAST_WEIGHT = 1e-7
"""Of a step, so that the weights of no class are 0 at all steps; as in the baseline of DCASE task 4."""


class TemporalAttention(nn.Module):
    """Weighs the time steps of a clip and classifies their weighted sum."""

    def __init__(self, features: int, hidden: int, classes: int) -> None:
        super().__init__()
        self.project = nn.Linear(features, hidden)
        self.score = nn.Linear(hidden, 1)
        self.classify = nn.Linear(hidden, classes)

    def forward(self, encoded: Tensor) -> Tensor:
        """Return class scores (logits) [n, k]."""
        hidden = torch.tanh(self.project(_steps(encoded)))  # [n, s, h]
        attention = torch.softmax(self.score(hidden), dim=1)  # [n, s, 1]
        scores: Tensor = self.classify((attention * hidden).sum(dim=1))  # [n, k]
        return scores


class Pooled(nn.Module):
    """Scores of every band and step, of which the mean is taken."""

    def __init__(self, channels: int, classes: int) -> None:
        super().__init__()
        self.classify = nn.Conv2d(channels, classes, 1, bias=False)
        self.normalise = nn.BatchNorm2d(classes)

    def forward(self, encoded: Tensor) -> Tensor:
        """Return class scores (logits) [n, k]."""
        scores: Tensor = self.normalise(self.classify(encoded)).mean((2, 3))
        return scores


class MeanScores(nn.Module):
    """Classifies every time step; the mean of the scores counts."""

    def __init__(self, features: int, classes: int) -> None:
        super().__init__()
        self.classify = nn.Linear(features, classes)

    def forward(self, encoded: Tensor) -> Tensor:
        """Return class scores (logits) [n, k]."""
        scores: Tensor = self.classify(_steps(encoded)).mean(1)
        return scores


class StepScores(nn.Module):
    """Says for every time step which events are there, from that step alone."""

    def __init__(self, features: int, outputs: int) -> None:
        super().__init__()
        self.detect = nn.Linear(features, outputs)

    def forward(self, encoded: Tensor) -> Tensor:
        """Return scores (logits) [n, s, k]."""
        scores: Tensor = self.detect(_steps(encoded))
        return scores


class RecurrentFrames(nn.Module):
    """Says for every time step which events are there, from that step and all before it."""

    def __init__(self, features: int, hidden: int, outputs: int) -> None:
        super().__init__()
        self.recur = nn.GRU(features, hidden, batch_first=True)
        self.detect = nn.Linear(hidden, outputs)

    def forward(self, encoded: Tensor) -> Tensor:
        """Return scores (logits) [n, s, k]."""
        hidden, _ = self.recur(_steps(encoded))  # [n, s, h]
        scores: Tensor = self.detect(hidden)
        return scores


class BidirectionalFrames(nn.Module):
    """Says for every time step which events are there, from all steps.

    If it ``weighs``, it also says how much each step counts for the whole clip, for each event.
    """

    def __init__(self, features: int, spec: heads.BiGruHead, outputs: int, *, weighs: bool = False) -> None:
        super().__init__()
        self.recur = nn.GRU(features, spec.hidden, spec.layers, batch_first=True, bidirectional=True)
        self.detect = nn.Linear(2 * spec.hidden, outputs)
        self.weigh = nn.Linear(2 * spec.hidden, outputs) if weighs else None

    def forward(self, encoded: Tensor) -> Tensor:
        """Return scores (logits) [n, s, k]; behind them, if it weighs, those of the weights: [n, s, 2 * k]."""
        hidden, _ = self.recur(_steps(encoded))  # [n, s, 2 * h]
        scores: Tensor = self.detect(hidden)
        return scores if self.weigh is None else torch.cat([scores, self.weigh(hidden)], dim=-1)


class PooledRecurrence(nn.Module):
    """Classifies every time step from all steps, and weighs the steps of each class by how sure it is of the class.

    A softmax over classes gives the weights, as in the baseline of DCASE task 4.
    """

    def __init__(self, features: int, hidden: int, layers: int, classes: int) -> None:
        super().__init__()
        self.recur = nn.GRU(features, hidden, layers, batch_first=True, bidirectional=True)
        self.classify = nn.Linear(2 * hidden, classes)
        self.weigh = nn.Linear(2 * hidden, classes)

    def forward(self, encoded: Tensor) -> Tensor:
        """Return class scores (logits) [n, k]."""
        hidden, _ = self.recur(_steps(encoded))  # [n, s, 2 * h]
        weights = torch.softmax(self.weigh(hidden), dim=-1).clamp(min=_LEAST_WEIGHT)  # [n, s, k]
        scores: Tensor = (weights * self.classify(hidden)).sum(1) / weights.sum(1)
        return scores


class MemoryFrames(nn.Module):
    """Says for every time step which events are there, from that step and all before it, with a memory."""

    def __init__(self, features: int, hidden: int, outputs: int) -> None:
        super().__init__()
        self.recur = nn.LSTM(features, hidden, batch_first=True)
        self.detect = nn.Linear(hidden, outputs)

    def forward(self, encoded: Tensor) -> Tensor:
        """Return scores (logits) [n, s, k]."""
        hidden, _ = self.recur(_steps(encoded))  # [n, s, h]
        scores: Tensor = self.detect(hidden)
        return scores


class PooledMemory(nn.Module):
    """Classifies every time step from it and all before it, with a memory; the mean of the scores counts."""

    def __init__(self, features: int, hidden: int, classes: int) -> None:
        super().__init__()
        self.recur = nn.LSTM(features, hidden, batch_first=True)
        self.classify = nn.Linear(hidden, classes)

    def forward(self, encoded: Tensor) -> Tensor:
        """Return class scores (logits) [n, k]."""
        hidden, _ = self.recur(_steps(encoded))  # [n, s, h]
        scores: Tensor = self.classify(hidden).mean(1)
        return scores


class Perceptron(nn.Module):
    """Classifies the mean of the time steps through a hidden layer."""

    def __init__(self, features: int, hidden: int, classes: int) -> None:
        super().__init__()
        self.project = nn.Linear(features, hidden)
        self.classify = nn.Linear(hidden, classes)

    def forward(self, encoded: Tensor) -> Tensor:
        """Return class scores (logits) [n, k]."""
        scores: Tensor = self.classify(torch.relu(self.project(_steps(encoded).mean(1))))
        return scores


class Layered(nn.Module):
    """Scores of every band and step from layers behind each other, of which the mean is taken."""

    def __init__(self, layers: nn.Module) -> None:
        super().__init__()
        self.layers = layers

    def forward(self, encoded: Tensor) -> Tensor:
        """Return class scores (logits) [n, k]."""
        scores: Tensor = self.layers(encoded).mean((2, 3))
        return scores


@singledispatch
def build_head(spec: heads.Head, shape: Shape, outputs: int) -> nn.Module:
    """Return the module of a head's specification, behind an encoder that ends with ``shape``."""
    raise NotImplementedError(f"no module is known for {type(spec).__name__}, {shape}, {outputs}")


@build_head.register
def _(spec: heads.AttentionHead, shape: Shape, outputs: int) -> nn.Module:
    return TemporalAttention(shape[0] * shape[1], spec.hidden, outputs)


@build_head.register
def _(_: heads.PoolHead, shape: Shape, outputs: int) -> nn.Module:
    return Pooled(shape[0], outputs)


@build_head.register
def _(_: heads.MeanHead, shape: Shape, outputs: int) -> nn.Module:
    return MeanScores(shape[0] * shape[1], outputs)


@build_head.register
def _(_: heads.StepHead, shape: Shape, outputs: int) -> nn.Module:
    return StepScores(shape[0] * shape[1], outputs)


@build_head.register
def _(spec: heads.GruHead, shape: Shape, outputs: int) -> nn.Module:
    return RecurrentFrames(shape[0] * shape[1], spec.hidden, outputs)


@build_head.register
def _(spec: heads.BiGruHead, shape: Shape, outputs: int) -> nn.Module:
    if spec.pooled:
        return PooledRecurrence(shape[0] * shape[1], spec.hidden, spec.layers, outputs)
    return BidirectionalFrames(shape[0] * shape[1], spec, outputs)


@build_head.register
def _(spec: heads.WeighedBiGruHead, shape: Shape, outputs: int) -> nn.Module:
    return BidirectionalFrames(shape[0] * shape[1], spec, outputs, weighs=True)


@build_head.register
def _(spec: heads.LstmHead, shape: Shape, outputs: int) -> nn.Module:
    if spec.pooled:
        return PooledMemory(shape[0] * shape[1], spec.hidden, outputs)
    return MemoryFrames(shape[0] * shape[1], spec.hidden, outputs)


@build_head.register
def _(spec: heads.MlpHead, shape: Shape, outputs: int) -> nn.Module:
    return Perceptron(shape[0] * shape[1], spec.hidden, outputs)


@build_head.register
def _(spec: heads.LayeredHead, shape: Shape, outputs: int) -> nn.Module:
    return Layered(nn.Sequential(*map(build_layer, spec.layers(shape, outputs))))


def _steps(encoded: Tensor) -> Tensor:
    """Return, for [n, c, f, s], [n, s, c * f]: all that the encoder says about one time step, side by side."""
    return encoded.permute(0, 3, 1, 2).flatten(2)
