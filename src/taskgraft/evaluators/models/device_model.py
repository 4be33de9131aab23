"""The model as a device runs it: waveform in, probabilities out.

Notation: ``n`` clips, ``f`` bands, ``t`` frames, ``s`` time steps, ``k`` classes.
"""

import torch
from torch import Tensor, nn

from taskgraft.evaluators.features import build_rows
from taskgraft.evaluators.models.tree_model import TreeModel
from taskgraft.evaluators.study_data import StudyData
from taskgraft.space.tasks import TaskKind


class DeviceModel(nn.Module):
    """Front end, normalisation and tree in one module, for waveforms of one fixed length."""

    def __init__(self, tree: TreeModel, data: StudyData) -> None:
        super().__init__()
        self.samples = data.crop * data.template.front_end.hop
        self.log_mel = build_rows(data.template.front_end, frames=data.crop)
        self.normalisation = data.input_module()  # of other front ends than log-mel, more than that
        self.tree = tree
        self._kinds = [data.tasks[name].task.kind for name in tree.tree.tasks]

    def forward(self, waveform: Tensor) -> tuple[Tensor, ...]:
        """Probabilities of every task in the tree's order, for ``waveform`` [n, samples].

        Of each class [n, k] for clip tasks; that the event is there, [n, s], for frames tasks.
        """
        features = self.normalisation(self.log_mel(waveform).unsqueeze(1))
        scores = self.tree(features).values()
        return tuple(
            torch.softmax(score, dim=1) if kind is TaskKind.CLIP else torch.sigmoid(score)
            for kind, score in zip(self._kinds, scores, strict=True)
        )
