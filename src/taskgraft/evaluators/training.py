"""The one training loop: any tree, any mix of corpora, missing labels.

Notation: ``n`` clips, ``f`` bands, ``t`` frames.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

import numpy as np
import torch
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors
from torch import Tensor

from taskgraft.errors import InvalidInput, TrainingFailed
from taskgraft.evaluators.affinities import AffinityMeter
from taskgraft.evaluators.batches import Batch, train_batches
from taskgraft.evaluators.datasets.splits import Split
from taskgraft.evaluators.evaluation import evaluate
from taskgraft.evaluators.losses import joint_loss
from taskgraft.evaluators.measurement import Checkpoint, Measurement, Outcomes
from taskgraft.evaluators.memory import keep_freed_memory
from taskgraft.evaluators.metrics import measure, reductions
from taskgraft.evaluators.models.tree_model import TreeModel
from taskgraft.evaluators.stopping import Stopping, Verdict
from taskgraft.evaluators.study_data import StudyData
from taskgraft.evaluators.threads import use_one_thread
from taskgraft.space.tree import BranchTree

TRAINING_VERSION = 1
"""Raise it with every change that may change the result of a training by a single bit: here, in the batches, the
features, the models, the losses, the evaluation or the metrics. Results of another version are not taken over.
``tests/evaluators/test_training_version.py`` fails while the sources and this number do not fit together."""

_WARM_UP = 0.1
_MAX_EVALUATIONS = 15


@dataclass(frozen=True, slots=True)
class Schedule:
    """How long and how fast to train. An epoch goes through the largest training split of the study.

    ``masking`` is the largest share of the bands, and of the frames, that a mask covers.
    """

    epochs: int
    batch_size: int
    learning_rate: float
    masking: float = 0.15

    def steps(self, clips: int) -> int:
        """Return the optimiser steps for a largest training split of ``clips`` clips."""
        return self.epochs * -(-clips // self.batch_size)


class Trainer:
    """One training under way: call `advance` until it is `finished`, then take the `measurement`.

    The best checkpoint is the one whose worst task keeps most of its reference (its baseline's metric); without
    references, the one with the best mean metric. Equal arguments give equal results, bit for bit, on one machine.
    With ``stopping`` it may end early; up to there, every step is that of the whole training. ``with_affinities``
    measures at every evaluation how much the tasks agree, and changes nothing else.

    Raises:
        InvalidInput: ``stopping`` without the reference, or the baseline's curve, of each of the tree's tasks.
    """

    def __init__(
        self,
        tree: BranchTree,
        data: StudyData,
        schedule: Schedule,
        seed: int,
        references: Mapping[str, float] | None = None,
        stopping: Stopping | None = None,
        *,
        with_affinities: bool = False,
    ) -> None:
        if stopping and not set(tree.tasks) <= set(references or ()) & set(stopping.baselines):
            raise InvalidInput.at("stopping", "each task has a reference and the curve of its baseline")
        use_one_thread()
        keep_freed_memory()
        self._data = data
        self._tasks = {name: data.tasks[name] for name in tree.tasks}
        self._references = {name: references[name] for name in tree.tasks} if references else None
        self._stopping = stopping
        self._schedule = schedule
        self.model = _initial_model(tree, data, seed)
        self._total = schedule.steps(data.epoch_clips)
        self._interval = -(-self._total // min(schedule.epochs, _MAX_EVALUATIONS))
        self._masking = torch.Generator().manual_seed(seed)
        shuffling = np.random.default_rng(seed)
        self._batches = train_batches(data, list(self._tasks.values()), schedule.batch_size, shuffling)
        self._affinities = AffinityMeter(data, tree.tasks, schedule.batch_size, seed) if with_affinities else None
        self._optimizer = torch.optim.AdamW(
            self.model.parameters(), lr=schedule.learning_rate, betas=(0.9, 0.999), fused=True
        )
        self._rate = torch.optim.lr_scheduler.LambdaLR(self._optimizer, self._warm_up_then_cosine)
        self._step = 0
        self._verdict = Verdict.GO_ON
        self._seconds = 0.0
        self._best = _Best(-np.inf, 0, {}, {}, b"")
        self._earlier: list[Checkpoint] = []
        self._curve: list[Mapping[str, float]] = []

    def _warm_up_then_cosine(self, step: int) -> float:
        warm = max(1, round(_WARM_UP * self._total))
        if step < warm:
            return (step + 1) / warm
        return float(0.5 * (1 + np.cos(np.pi * (step - warm) / max(1, self._total - warm))))

    @property
    def fraction(self) -> float:
        """How much of the training is done, 0..1; 1 if it was stopped."""
        return 1.0 if self.finished else self._step / self._total

    @property
    def finished(self) -> bool:
        """Whether all steps are taken, or those to come are not expected to change a decision."""
        return self._step >= self._total or self._verdict is not Verdict.GO_ON

    def advance(self) -> None:
        """Train up to the next evaluation on the validation split, and keep the checkpoint if it is the best yet.

        Raises:
            TrainingFailed: the loss is not finite any more.
        """
        started = time.perf_counter()
        self.model.train()
        for _ in range(min(self._interval, self._total - self._step)):
            self._train_step(next(self._batches))
        self._evaluate()
        self._seconds += time.perf_counter() - started

    def _train_step(self, batch: Batch) -> None:
        features = self._data.normalisation(batch.features)  # [n, 1, f, t]
        mask_axes_(features, self._schedule.masking, self._masking)
        with torch.autocast("cpu", torch.bfloat16, enabled=has_bfloat16()):
            scores = self.model(features.contiguous(memory_format=torch.channels_last), batch.rows)
        loss = joint_loss(self._tasks, scores, batch.targets)
        if not loss.isfinite():
            raise TrainingFailed(f"the loss of {', '.join(self._tasks)} is {loss.item()} at step {self._step}")
        self._optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        self._optimizer.step()
        self._rate.step()
        self._step += 1

    def _evaluate(self) -> None:
        outcomes = evaluate(self.model, self._data, Split.VALIDATION)
        metrics = {name: measure(outcomes[name], task.metric) for name, task in self._tasks.items()}
        self._curve.append({"step": self._step, **metrics})
        if self._affinities:
            self._affinities.look(self.model)
        score = self._score(metrics)
        if score > self._best.score:
            if self._references and self._best.step:
                self._earlier.append(Checkpoint(self._best.step, self._best.metrics, self._best.outcomes))
            self._best = _Best(score, self._step, metrics, outcomes, pack_weights(self.model))
        if self._stopping and self._references:
            clips = {name: len(task.clips[Split.VALIDATION]) for name, task in self._tasks.items()}
            self._verdict = self._stopping.verdict(self._curve, self._references, clips)

    def _score(self, metrics: Mapping[str, float]) -> float:
        if not self._references:
            return float(np.mean(list(metrics.values())))
        return -max(reductions(self._references, metrics).values())

    def measurement(self, worker: str) -> Measurement:
        """Return the best checkpoint's worth on the validation split, and its weights."""
        best = self._best
        return Measurement(
            metrics=best.metrics,
            outcomes=best.outcomes,
            steps=self._step,
            best_step=best.step,
            seconds=self._seconds,
            worker=worker,
            curve=tuple(self._curve),
            weights=best.weights,
            steps_left=self._total - self._step,
            affinities=self._affinities.means if self._affinities else {},
            earlier=tuple(self._earlier),
            cosines=self._affinities.cosines if self._affinities else {},
        )


@dataclass(frozen=True, slots=True)
class _Best:
    score: float
    step: int
    metrics: Mapping[str, float]
    outcomes: Mapping[str, Outcomes]
    weights: bytes


@cache
def has_bfloat16() -> bool:
    """Return whether this processor multiplies bfloat16 natively.

    Training takes 1.5 times as long without it; emulation is slower still.
    """
    known = torch.cpu.get_capabilities()
    return bool(known.get("avx512_bf16") or known.get("amx_bf16"))


def _initial_model(tree: BranchTree, data: StudyData, seed: int) -> TreeModel:
    """Return a model whose weights only the seed decides; torch's own random state does not change."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = TreeModel(tree, data.template, [data.tasks[name].task for name in tree.tasks])
    return model.to(memory_format=torch.channels_last)  # type: ignore[call-overload,no-any-return]


def mask_axes_(features: Tensor, share: float, generator: torch.Generator) -> None:
    """Fill one stretch of bands and one of frames per clip with the mean (0), in place; features [n, 1, f, t].

    They are normalised. A mask covers at most ``share`` of its axis.

    As torchaudio's ``mask_along_axis_iid``, which can't be given a generator. Source: Park et al., SpecAugment, 2019.
    """
    draws = torch.rand(2, 2, len(features), 1, generator=generator)  # widths and starts, of bands and of frames
    for axis, (width, start) in zip((2, 3), draws, strict=True):
        size = features.shape[axis]
        widths = (width * (int(size * share) + 1)).floor()  # [n, 1]
        starts = (start * (size - widths + 1)).floor()
        places = torch.arange(size)
        kept = (places < starts) | (places >= starts + widths)  # [n, size]
        features *= kept[:, None, :, None] if axis == 2 else kept[:, None, None, :]


def pack_weights(model: TreeModel) -> bytes:
    """Return all tensors of a model in the safetensors form."""
    return save_tensors({name: tensor.contiguous() for name, tensor in model.state_dict().items()})


def unpack_weights(model: TreeModel, weights: bytes) -> TreeModel:
    """Put `pack_weights`'s tensors into a model of the same tree."""
    model.load_state_dict(load_tensors(weights))
    return model
