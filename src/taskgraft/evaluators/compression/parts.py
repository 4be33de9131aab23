"""The device's model in three parts behind each other: front end, tree and answers. So the tree can be changed alone.

Values between the parts have names that no task can have; all others begin with the name of their part.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import onnx
import torch
from onnx import compose
from torch import Tensor, nn

from taskgraft.evaluators import bundle
from taskgraft.evaluators.compression.eight_bits import with_used_operators
from taskgraft.evaluators.export import onnx_model
from taskgraft.evaluators.models.device_model import DeviceModel

FEATURES = "/features"
"""What the first block sees: [batch, channels, bands, frames]."""
TREE = "tree/"
"""What the names of all values within the tree begin with, in the joined model."""
_FRONT, _ANSWERS, _GRAPH = "front/", "answers/", "main_graph"


def scores_names(count: int) -> list[str]:
    """Return the names of the tree's outputs, in the order of its tasks."""
    return [f"/scores/{place}" for place in range(count)]


@dataclass(frozen=True, slots=True, eq=False)
class DeviceParts:
    """Front end (waveform to features), tree (features to scores) and answers (scores to what the device gives)."""

    front: onnx.ModelProto
    tree: onnx.ModelProto
    answers: onnx.ModelProto

    @classmethod
    def of(cls, device: DeviceModel) -> "DeviceParts":
        """Return the parts of a model.

        Raises:
            TrainingFailed: it can't be exported.
        """
        names, tasks = scores_names(len(device.tree.tree.tasks)), device.tree.tree.tasks
        waveform = torch.zeros(2, device.samples)
        with torch.inference_mode():
            features = device.features(waveform)
            scores = list(device.tree(features).values())
        return cls(
            onnx_model(_Front(device), (waveform,), [bundle.INPUT], [FEATURES]),
            onnx_model(_Tree(device), (features.clone(),), [FEATURES], names),
            onnx_model(_Answers(device), ([one.clone() for one in scores],), names, tasks),
        )

    def joined(self, tree: onnx.ModelProto) -> onnx.ModelProto:
        """Return the whole model with another tree of the same inputs and outputs."""
        front = _with_prefix(self.front, _FRONT)
        middle, last = _with_prefix(tree, TREE), _with_prefix(self.answers, _ANSWERS)
        for part in (front, middle, last):
            part.ir_version = max(front.ir_version, middle.ir_version, last.ir_version)
        names = [value.name for value in tree.graph.output]
        whole = compose.merge_models(front, middle, io_map=[(FEATURES, FEATURES)])
        whole = compose.merge_models(whole, last, io_map=[(name, name) for name in names])
        whole.graph.name = _GRAPH
        whole.producer_name, whole.producer_version = self.front.producer_name, self.front.producer_version
        del whole.graph.value_info[:]  # the runtime finds the shapes between again
        return with_used_operators(whole)


def _with_prefix(model: onnx.ModelProto, prefix: str) -> onnx.ModelProto:
    """Return a model whose inner names begin with ``prefix``; inputs and outputs keep theirs."""
    return compose.add_prefix(model, prefix, rename_inputs=False, rename_outputs=False)


class _Front(nn.Module):
    def __init__(self, device: DeviceModel) -> None:
        super().__init__()
        self.device = device

    def forward(self, waveform: Tensor) -> tuple[Tensor]:
        """Return features [n, c, f, t]."""
        return (self.device.features(waveform),)


class _Tree(nn.Module):
    def __init__(self, device: DeviceModel) -> None:
        super().__init__()
        self.tree = device.tree

    def forward(self, features: Tensor) -> tuple[Tensor, ...]:
        """Return the scores of every task."""
        return tuple(self.tree(features).values())


class _Answers(nn.Module):
    def __init__(self, device: DeviceModel) -> None:
        super().__init__()
        self.device = device

    def forward(self, scores: Sequence[Tensor]) -> tuple[Tensor, ...]:
        """Return the answers of every task."""
        return self.device.answers(*scores)
