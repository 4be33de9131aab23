"""Baselines as teachers: models of one task each, as they were when their training had ended."""

import torch
from safetensors.torch import load as load_tensors

from taskgraft.evaluators.algorithms.learner import Learner
from taskgraft.evaluators.models.tree_model import TreeModel
from taskgraft.space.tree import BranchTree


def baseline_models(learner: Learner) -> dict[str, TreeModel]:
    """Return the baseline of each task, on the device. They answer as in an evaluation, and do not learn.

    Raises:
        RuntimeError: the weights are those of another model.
    """
    assert learner.teachers is not None, "the trainer has checked that they are there"
    return {task: _baseline(learner, task, learner.teachers.weights[task]) for task in learner.names}


def _baseline(learner: Learner, task: str, weights: bytes) -> TreeModel:
    template = learner.data.template
    tree = BranchTree.flat([task], template.depth, template.depth)
    with torch.random.fork_rng(devices=[]):  # torch's own random state does not change
        model = TreeModel(tree, template, [learner.tasks[task].task])
    model.load_state_dict(load_tensors(weights))
    model = model.to(learner.precision.device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return model.eval().requires_grad_(False)  # type: ignore[no-any-return]
