"""Gates between the encoder and the heads, one builder per kind of gate specification.

Notation: ``n`` clips, ``c`` channels, ``f`` bands, ``s`` time steps, ``w`` features that decide together.
"""

from abc import ABC, abstractmethod
from functools import singledispatch

import torch
from torch import Tensor, nn

from taskgraft.space import gates
from taskgraft.space.layers import Shape


class Gate(nn.Module, ABC):
    """What tasks share of a gate: it asks their heads."""

    @abstractmethod
    def answer(self, head: nn.Module, encoded: Tensor) -> Tensor:
        """Return the scores of a head of `gated_head` for features [n, c, f, s]."""


class Open(Gate):
    """Lets everything through."""

    def answer(self, head: nn.Module, encoded: Tensor) -> Tensor:
        """Return the scores of a head."""
        scores: Tensor = head(encoded)
        return scores


class TaskAttention(Gate):
    """Lets sigmoid(W f + U e) of the features f through, with a task's vector e."""

    def __init__(self, spec: gates.TaskGate, shape: Shape) -> None:
        super().__init__()
        self._over = spec.over
        self.features = nn.Linear(spec.width(shape), spec.width(shape), bias=False)  # W
        self.task = nn.Linear(gates.EMBEDDING, spec.width(shape), bias=False)  # U

    def forward(self, encoded: Tensor, embedding: Tensor) -> Tensor:
        """Return what is seen [n, c, f, s] of features [n, c, f, s], for a task's vector [1, 16]."""
        steps = encoded.permute(0, 3, 2, 1)  # [n, s, f, c]
        joint = steps.flatten(2) if self._over is gates.Over.STEP else steps  # [n, s, w] or [n, s, f, w]
        share = torch.sigmoid(self.features(joint) + self.task(embedding))
        return encoded * share.reshape(steps.shape).permute(0, 3, 2, 1)

    def answer(self, head: nn.Module, encoded: Tensor) -> Tensor:
        """Return the scores of a head for what it sees."""
        scores: Tensor = head(self(encoded, head.embedding))
        return scores


class GatedHead(nn.Module):
    """A head, and the vector that stands for its task."""

    def __init__(self, head: nn.Module) -> None:
        super().__init__()
        self.embedding = nn.Parameter(torch.randn(1, gates.EMBEDDING))
        self.head = head

    def forward(self, seen: Tensor) -> Tensor:
        """Return the head's scores for what its gate lets through [n, c, f, s]."""
        scores: Tensor = self.head(seen)
        return scores


@singledispatch
def build_gate(spec: gates.Gate, shape: Shape) -> Gate:
    """Return the module of a gate's specification, behind an encoder that ends with ``shape``."""
    raise NotImplementedError(f"no module is known for {type(spec).__name__}, {shape}")


@build_gate.register
def _(_: gates.NoGate, shape: Shape) -> Gate:
    return Open()


@build_gate.register
def _(spec: gates.TaskGate, shape: Shape) -> Gate:
    return TaskAttention(spec, shape)


@singledispatch
def gated_head(spec: gates.Gate, head: nn.Module) -> nn.Module:
    """Return a head with what it has of a gate for its task."""
    raise NotImplementedError(f"no module is known for {type(spec).__name__}, {type(head).__name__}")


@gated_head.register
def _(_: gates.NoGate, head: nn.Module) -> nn.Module:
    return head


@gated_head.register
def _(_: gates.TaskGate, head: nn.Module) -> nn.Module:
    return GatedHead(head)
