"""The model as a device runs it: waveform in, answers out.

Notation: ``n`` clips, ``f`` bands, ``t`` frames, ``s`` time steps, ``k`` classes.
"""

from torch import Tensor, nn

from taskgraft.evaluators.features import build_rows
from taskgraft.evaluators.kinds.registry import KINDS
from taskgraft.evaluators.models.tree_model import TreeModel
from taskgraft.evaluators.study_data import StudyData


class DeviceModel(nn.Module):
    """Front end, normalisation and tree in one module, for waveforms of one fixed length."""

    def __init__(self, tree: TreeModel, data: StudyData) -> None:
        super().__init__()
        self.samples = data.crop * data.template.front_end.hop
        self.log_mel = build_rows(data.template.front_end, frames=data.crop)
        self.normalisation = data.input_module()  # of other front ends than log-mel, more than that
        self.tree = tree
        self._tasks = [data.tasks[name] for name in tree.tree.tasks]

    def forward(self, waveform: Tensor) -> tuple[Tensor, ...]:
        """Return the answers of every task in the tree's order, for ``waveform`` [n, samples].

        They are those of the task's kind: its `activate` says which, `output_shape` of which shape.
        """
        return self.answers(*self.tree(self.features(waveform)).values())

    def features(self, waveform: Tensor) -> Tensor:
        """Return what the first block sees of ``waveform`` [n, samples]."""
        features: Tensor = self.normalisation(self.log_mel(waveform).unsqueeze(1))
        return features

    def answers(self, *scores: Tensor) -> tuple[Tensor, ...]:
        """Return the answers of every task for its scores, in the tree's order."""
        return tuple(
            KINDS[task.task.kind].activate(task, score) for task, score in zip(self._tasks, scores, strict=True)
        )
