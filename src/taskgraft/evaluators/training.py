"""The one training loop: any tree, any mix of corpora, missing labels.

Notation: ``n`` clips, ``f`` bands, ``t`` frames.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors
from torch import Tensor

from taskgraft.errors import InvalidInput, TrainingFailed
from taskgraft.evaluators.affinities import AffinityMeter
from taskgraft.evaluators.augmentation import Mixed, mask_axes_, mix_clips_, mix_styles_
from taskgraft.evaluators.batches import Batch, BatchPosition, TrainBatches
from taskgraft.evaluators.datasets.splits import Split
from taskgraft.evaluators.evaluation import evaluate
from taskgraft.evaluators.grafting import graft_trunk
from taskgraft.evaluators.lookahead import LookaheadMeter
from taskgraft.evaluators.losses import joint_loss
from taskgraft.evaluators.measurement import Checkpoint, Measurement, Outcomes
from taskgraft.evaluators.memory import keep_freed_memory
from taskgraft.evaluators.metrics import measure, reductions
from taskgraft.evaluators.models.tree_model import TreeModel
from taskgraft.evaluators.precision import Precision
from taskgraft.evaluators.recipe import MaskWidth
from taskgraft.evaluators.stopping import Curve, Stopping, Verdict
from taskgraft.evaluators.study_data import StudyData
from taskgraft.evaluators.threads import use_one_thread
from taskgraft.evaluators.training_state import PackedState, StateFacts, Tensors
from taskgraft.evaluators.training_tensors import (
    BEST,
    MASKING,
    MODEL,
    left_tensors,
    moment_tensors,
    outcome_tensors,
    prefixed,
    restore_moments,
    state_shapes,
    to_checkpoints,
    to_left,
    without_prefix,
)
from taskgraft.evaluators.trunk import Trunk
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

    ``masking`` is the largest share of the bands, and of the frames, that a mask covers. Clips are mixed by shares of
    Beta(``mixup``, ``mixup``), and the styles of a batch with the chance ``mixstyle``; 0: they are not.
    """

    epochs: int
    batch_size: int
    learning_rate: float
    masking: float = 0.15
    masking_width: MaskWidth = MaskWidth.UNIFORM
    mixup: float = 0.0
    mixstyle: float = 0.0

    def steps(self, clips: int) -> int:
        """Return the optimiser steps for a largest training split of ``clips`` clips."""
        return self.epochs * -(-clips // self.batch_size)


class Trainer:
    """One training under way: call `advance` until it is `finished`, then take the `measurement`.

    The best checkpoint is the one whose worst task keeps most of its reference (its baseline's metric); without
    references, the one with the best mean metric. Equal arguments give equal results, bit for bit, on one machine.
    With ``stopping`` it may end early; up to there, every step is that of the whole training. ``with_affinities``
    measures at every evaluation how much the tasks agree, ``with_lookaheads`` what a step for one does to the others;
    neither changes anything else.

    With ``start``, the weights of a trunk take the place of initial ones; everything else is as it is from scratch.

    ``device`` is "cpu" or "cuda". Initial weights, batches and masks are drawn on the processor in any case. On a GPU,
    equal arguments give equal results only as far as its kernels do.

    After any `advance`, `pack_state` returns what another trainer with equal arguments needs to `go_on_from` there; how
    far it goes is up to its own ``stopping``. Together both take exactly the steps of one undisturbed training.

    Raises:
        InvalidInput: ``stopping`` without the reference, or the baseline's curve, of each of the tree's tasks.
        Unavailable: there is no such device.
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
        with_lookaheads: bool = False,
        device: str = "cpu",
        start: Trunk | None = None,
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
        self._precision = Precision.on(device)
        self._scaler = self._precision.scaler()
        self._input = data.input_module(self._precision.device)
        self.model = _initial_model(tree, data, seed, start).to(self._precision.device)
        self._total = schedule.steps(data.epoch_clips)
        self._interval = -(-self._total // min(schedule.epochs, _MAX_EVALUATIONS))
        self._masking = torch.Generator().manual_seed(seed)
        shuffling = np.random.default_rng(seed)
        self._batches = TrainBatches(data, list(self._tasks.values()), schedule.batch_size, shuffling)
        self._affinities = AffinityMeter(data, tree.tasks, schedule.batch_size, seed) if with_affinities else None
        looking = (data, tree.tasks, schedule.batch_size, seed, schedule.learning_rate)
        self._lookaheads = LookaheadMeter(*looking) if with_lookaheads else None
        self._optimizer = torch.optim.AdamW(
            self.model.parameters(), lr=schedule.learning_rate, betas=(0.9, 0.999), fused=True
        )
        self._rate = torch.optim.lr_scheduler.LambdaLR(self._optimizer, self._warm_up_then_cosine)
        self._step = 0
        self._verdict = Verdict.GO_ON
        self._seconds = 0.0
        self._steps_before, self._seconds_before = 0, 0.0
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

    @property
    def was_accepted(self) -> bool:
        """Whether it was stopped since a checkpoint keeps the threshold, with steps left to take."""
        return self._verdict is Verdict.KEPT and self._step < self._total

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
        batch = batch.on(self._precision.device)
        features = self._input(batch.features)  # [n, 1, f, t]
        mixed = self._augment(features, batch)
        with self._precision.autocast():
            scores = self.model(features.contiguous(memory_format=torch.channels_last), batch.rows)
        loss = self._loss(scores, batch.targets, mixed)
        if not loss.isfinite():
            raise TrainingFailed(f"the loss of {', '.join(self._tasks)} is {loss.item()} at step {self._step}")
        self._optimizer.zero_grad(set_to_none=True)
        self._scaler.scale(loss).backward()  # type: ignore[no-untyped-call]
        self._scaler.step(self._optimizer)
        self._scaler.update()
        self._rate.step()
        self._step += 1

    def _augment(self, features: Tensor, batch: Batch) -> Mixed | None:
        """Change the features in place; return which clips were mixed, if they were."""
        schedule, mixed = self._schedule, None
        if schedule.mixstyle:
            mix_styles_(features, schedule.mixstyle, self._masking)
        if schedule.mixup:
            mixed = mix_clips_(features, batch, schedule.mixup, self._masking)
        mask_axes_(features, schedule.masking, self._masking, schedule.masking_width)
        return mixed

    def _loss(self, scores: Mapping[str, Tensor], targets: Mapping[str, Tensor], mixed: Mixed | None) -> Tensor:
        loss = joint_loss(self._tasks, scores, targets)
        if mixed is None:
            return loss
        others = {task: targets[task][places.to(targets[task].device)] for task, places in mixed.partners.items()}
        return mixed.share * loss + (1 - mixed.share) * joint_loss(self._tasks, scores, others)

    def _evaluate(self) -> None:
        outcomes = evaluate(self.model, self._data, Split.VALIDATION)
        metrics = {name: measure(outcomes[name], task.metric) for name, task in self._tasks.items()}
        self._curve.append({"step": self._step, **metrics})
        if self._affinities:
            self._affinities.look(self.model)
        if self._lookaheads:
            self._lookaheads.look(self.model)
        score = self._score(metrics)
        if score > self._best.score:
            if self._references and self._best.step:
                self._earlier.append(Checkpoint(self._best.step, self._best.metrics, self._best.outcomes))
            self._best = _Best(score, self._step, metrics, outcomes, pack_weights(self.model))
        self._verdict = self._judge(self._curve)

    def _judge(self, curve: Curve) -> Verdict:
        if not self._stopping or not self._references:
            return Verdict.GO_ON
        clips = {name: len(task.clips[Split.VALIDATION]) for name, task in self._tasks.items()}
        return self._stopping.verdict(curve, self._references, clips)

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
            steps_before=self._steps_before,
            seconds_before=self._seconds_before,
            lookaheads=self._lookaheads.means if self._lookaheads else {},
        )

    def pack_state(self, stamp: str) -> PackedState:
        """Return the state after the last `advance`; ``stamp`` says which training this is."""
        position, best = self._batches.position, self._best
        checkpoints = [*self._earlier, Checkpoint(best.step, best.metrics, best.outcomes)]
        cosines = [(*pair, seen) for pair, seen in self._affinities.cosines.items()] if self._affinities else None
        facts = {
            "version": TRAINING_VERSION,
            "stamp": stamp,
            "step": self._step,
            "seconds": self._seconds,
            "score": best.score,
            "best": [{"step": checkpoint.step, "metrics": checkpoint.metrics} for checkpoint in checkpoints],
            "curve": self._curve,
            "shuffling": position.generator,
            "cosines": cosines,
            "scaling": self._scaler.state_dict(),
        }
        tensors = {
            **prefixed(MODEL, self.model.state_dict()),
            **(prefixed(BEST, load_tensors(best.weights)) if best.step != self._step else {}),
            **moment_tensors(self.model, self._optimizer),
            **outcome_tensors(checkpoints),
            **left_tensors(position.left),
            MASKING: self._masking.get_state().numpy(),
        }
        return PackedState.of(StateFacts.model_validate(facts), tensors)

    def go_on_from(self, state: PackedState, stamp: str) -> None:
        """Go on from a packed state instead of from step 0; `advance` was not called yet.

        Raises:
            InvalidInput: the state is damaged, or not one of this training; nothing has changed then.
        """
        facts = state.facts()
        facts.check_belongs_to(TRAINING_VERSION, stamp)
        self._check_fits(facts)
        corpora = list(self._batches.clips)
        tensors = state.tensors(state_shapes(self.model, self._masking, len(corpora), facts))
        try:
            self._batches.go_on_at(BatchPosition(facts.shuffling, to_left(corpora, tensors)))
        except (ValueError, TypeError, LookupError, OverflowError) as error:
            raise InvalidInput.at("state", f"it is damaged: no such position of the batches: {error}") from error
        self._restore(facts, tensors)

    def _check_fits(self, facts: StateFacts) -> None:
        """Check that this training takes the steps of the state, too, and further ones."""
        known = range(self._interval, min(facts.step, self._total - 1) + 1, self._interval)
        if [point.get("step") for point in facts.curve] != [*known] or facts.step not in known:
            raise InvalidInput.at("state", f"its {facts.step} steps are none after which this training is evaluated")
        if any(point.keys() - {"step"} != self._tasks.keys() for point in facts.curve):
            raise InvalidInput.at("state", "its curve is one of other tasks")
        if self._lookaheads or (self._affinities and facts.cosines is None):
            raise InvalidInput.at("state", "it has no affinities, which this training measures")
        if bool(facts.scaling) is not bool(self._scaler.state_dict()):
            raise InvalidInput.at("state", "its loss was scaled in another way: GPUs differ")
        if self._judge(facts.curve) is not Verdict.GO_ON:
            raise InvalidInput.at("state", "it was taken further than this training goes")

    def _restore(self, facts: StateFacts, tensors: Tensors) -> None:
        step = facts.step
        self.model.load_state_dict(without_prefix(MODEL, tensors))
        restore_moments(self.model, self._optimizer, tensors, step)
        self._rate.last_epoch = step
        self._optimizer.param_groups[0]["lr"] = self._schedule.learning_rate * self._warm_up_then_cosine(step)
        self._scaler.load_state_dict(facts.scaling)
        self._masking.set_state(torch.tensor(tensors[MASKING]))
        if self._affinities:
            self._affinities.go_on_with(facts.cosines_by_pair)
        *self._earlier, last = to_checkpoints(facts, tensors)
        kept = without_prefix(BEST, tensors)
        weights = save_tensors(kept) if kept else pack_weights(self.model)
        self._best = _Best(facts.score, last.step, last.metrics, last.outcomes, weights)
        self._curve = list(facts.curve)
        self._step = self._steps_before = step
        self._seconds = self._seconds_before = facts.seconds


@dataclass(frozen=True, slots=True)
class _Best:
    score: float
    step: int
    metrics: Mapping[str, float]
    outcomes: Mapping[str, Outcomes]
    weights: bytes


def _initial_model(tree: BranchTree, data: StudyData, seed: int, start: Trunk | None) -> TreeModel:
    """Return a model whose weights the trunk, or only the seed, decides; torch's own random state does not change."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = TreeModel(tree, data.template, [data.tasks[name].task for name in tree.tasks])
    if start:
        graft_trunk(model, start)
    return model.to(memory_format=torch.channels_last)  # type: ignore[call-overload,no-any-return]


def pack_weights(model: TreeModel) -> bytes:
    """Return all tensors of a model in the safetensors form."""
    return save_tensors({name: tensor.contiguous() for name, tensor in model.state_dict().items()})


def unpack_weights(model: TreeModel, weights: bytes) -> TreeModel:
    """Put `pack_weights`'s tensors into a model of the same tree."""
    model.load_state_dict(load_tensors(weights))
    return model
