"""The one training loop: any tree, any mix of corpora, missing labels.

Notation: ``n`` clips, ``f`` bands, ``t`` frames.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors
from torch import Tensor

from taskgraft.errors import InvalidInput, TrainingFailed
from taskgraft.evaluators.affinities import AffinityMeter
from taskgraft.evaluators.algorithms.learner import Learner, Step
from taskgraft.evaluators.augmentation import Mixed, mask_axes_, mix_clips_, mix_styles_
from taskgraft.evaluators.batches import Batch, BatchPosition, TrainBatches
from taskgraft.evaluators.checkpoint_tensors import outcome_tensors, point_of, to_checkpoints
from taskgraft.evaluators.datasets.splits import Split
from taskgraft.evaluators.evaluation import evaluate, evaluate_with_loss
from taskgraft.evaluators.lookahead import LookaheadMeter
from taskgraft.evaluators.losses import total
from taskgraft.evaluators.measurement import Checkpoint, Measurement, Outcomes
from taskgraft.evaluators.memory import keep_freed_memory
from taskgraft.evaluators.metrics import lower_is_better, measure
from taskgraft.evaluators.models.tree_model import TreeModel
from taskgraft.evaluators.noise import Noise
from taskgraft.evaluators.open_training import Look, OpenState, Undominated
from taskgraft.evaluators.optimisation.building import build_optimiser
from taskgraft.evaluators.optimisation.checkpoints import VALIDATION_LOSS, Seen
from taskgraft.evaluators.optimisation.eager import without_compiler
from taskgraft.evaluators.optimisation.patience import is_out_of_patience
from taskgraft.evaluators.precision import Precision
from taskgraft.evaluators.schedule import Schedule
from taskgraft.evaluators.start import Start
from taskgraft.evaluators.stopping import Curve, Stopping, Verdict
from taskgraft.evaluators.study_data import StudyData
from taskgraft.evaluators.teachers import Teachers
from taskgraft.evaluators.threads import use_one_thread
from taskgraft.evaluators.training_state import BEST, PackedState, Shapes, StateFacts, Tensors
from taskgraft.evaluators.training_tensors import (
    ALGORITHM,
    MASKING,
    MODEL,
    WEIGHTING,
    fewer_steps,
    left_tensors,
    moment_tensors,
    prefixed,
    restore_moments,
    state_shapes,
    to_left,
    typed_shapes,
    without_prefix,
)
from taskgraft.evaluators.weighting.protocol import Setting
from taskgraft.space.tree import BranchTree

__all__ = ["TRAINING_VERSION", "Schedule", "Trainer", "pack_weights", "unpack_weights"]

TRAINING_VERSION = 2
"""Raise it with every change that may change the result of a training by a single bit: here, in the batches, the
features, the models, the losses, the evaluation or the metrics. Results of another version are not taken over.
``tests/evaluators/test_training_version.py`` fails while the sources and this number do not fit together."""


class Trainer:
    """One training under way: call `advance` until it is `finished`, then take the `measurement`.

    The ``schedule`` says which checkpoint is its result: by default the one whose worst task keeps most of its
    reference (its baseline's metric); without references, the one with the best mean metric. Equal arguments give equal
    results, bit for bit, on one machine. With ``stopping`` it may end early; up to there, every step is that of the
    whole training. ``with_affinities`` measures at every evaluation how much the tasks agree, ``with_lookaheads`` what
    a step for one does to the others; neither changes anything else.

    With ``is_open``, references are not known yet. `look` has what the last evaluation found then, and
    `taskgraft.evaluators.open_training.OpenTraining` chooses the checkpoint when they are.

    With ``start``, the weights of other models take the place of initial ones, and some may be held at 0 in all steps;
    everything else is as it is from scratch.
    ``teachers`` are the baselines that an algorithm learns from, if it does (`Algorithm.taught`).

    ``device`` is "cpu" or "cuda". Initial weights, batches and masks are drawn on the processor in any case. On a GPU,
    equal arguments give equal results only as far as its kernels do.

    After any `advance`, `pack_state` returns what another trainer with equal arguments needs to `go_on_from` there; how
    far it goes is up to its own ``stopping``. Together both take exactly the steps of one undisturbed training.

    What a step trains is up to the algorithm of the ``schedule``. If that has phases, only a checkpoint of the last one
    is the result.

    Raises:
        InvalidInput: ``stopping`` without the reference, or the baseline's curve, of each of the tree's tasks, or with
            a recipe that does not choose its checkpoint by metric, or whose algorithm has phases; ``is_open`` with
            phases; a patience with phases; an algorithm without the ``teachers`` that it needs.
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
        start: Start | None = None,
        teachers: Teachers | None = None,
        is_open: bool = False,
    ) -> None:
        _check(tree, schedule, references, stopping, is_open)
        _check_teachers(tree, schedule, teachers)
        use_one_thread()
        keep_freed_memory()
        self._data = data
        self._tasks = {name: data.tasks[name] for name in tree.tasks}
        self._references = {name: references[name] for name in tree.tasks} if references else None
        self._names = {name: task.metric for name, task in self._tasks.items()}
        self._errors = lower_is_better(self._names)
        self._stopping, self._schedule = stopping, schedule
        self._optimisation = schedule.optimisation
        self._precision = Precision.on(device)
        self._scaler = self._precision.scaler()
        self._input = data.input_module(self._precision.device)
        self._seed, self._teachers = seed, teachers
        self.model = _initial_model(tree, data, seed).to(self._precision.device)
        self._restraint = start.prepare(self.model, self._fresh) if start else None
        self._course = schedule.course(data.epoch_clips, tree.tasks)
        self._total = self._course.total
        self._patience = schedule.patience(data.epoch_clips)
        self._masking = torch.Generator().manual_seed(seed)
        shuffling = np.random.default_rng(seed)
        shift = round(schedule.shift * data.template.front_end.frames_per_second)
        tasks = list(self._tasks.values())
        pools = schedule.algorithm.pools(tasks, schedule.batch_size)
        self._batches = TrainBatches(data, tasks, schedule.batch_size, shuffling, shift, pools)
        planned = self._course.planned
        learner = Learner(data, self.model, self._tasks, self._batches, self._precision, planned, seed, teachers)
        self._steps = schedule.algorithm.begin(learner)
        self._learned = {**dict(self.model.named_parameters()), **self._steps.parameters()}
        self._noise = Noise(data.template.front_end, *schedule.noise) if schedule.noise else None
        self._affinities = AffinityMeter(data, tree.tasks, schedule.batch_size, seed) if with_affinities else None
        self._optimizer = build_optimiser(self._optimisation, self._learned.values())
        self._weighting = schedule.for_tasks(tree.tasks).weighting.build(self._setting(seed))
        self._rate = torch.optim.lr_scheduler.LambdaLR(self._optimizer, self._rate_factor)
        looking = (data, tree.tasks, schedule.batch_size, seed, self._optimisation.learning_rate)
        self._lookaheads = LookaheadMeter(*looking) if with_lookaheads else None
        self._step, self._seconds = 0, 0.0
        self._verdict = Verdict.GO_ON
        self._steps_before, self._seconds_before = 0, 0.0
        self._best = _Best(-np.inf, 0, {}, {}, b"")
        self._earlier: list[Checkpoint] = []
        self._curve: list[Mapping[str, float]] = []
        self._undominated = Undominated(self._errors) if is_open else None
        self._look: Look | None = None

    def _fresh(self, tree: BranchTree, share: float = 0.0) -> TreeModel:
        """Return a model of another tree as this training makes it without a start, after a share of its steps."""
        if not share:
            return _initial_model(tree, self._data, self._seed).to(self._precision.device)
        device, teachers = self._precision.device.type, self._teachers
        early = Trainer(tree, self._data, self._schedule, self._seed, device=device, teachers=teachers)
        early.take(round(share * early._total))
        return early.model

    def take(self, steps: int) -> None:
        """Take so many steps without an evaluation."""
        self._steps.enter(self._step)
        for _ in range(steps):
            self._train_step()
        self._steps.leave()

    def _setting(self, seed: int) -> Setting:
        """Return what the weighting is made for."""
        tasks, steps = [task.task for task in self._tasks.values()], self._schedule.epoch_steps(self._data.epoch_clips)
        return Setting(tasks, self.model, steps, seed, self._scaler, [*self._steps.parameters().values()])

    def _rate_factor(self, step: int) -> float:
        return self._optimisation.factor(self._course.within(step), self._course.planned)

    @property
    def fraction(self) -> float:
        """How much of the training is done, 0..1; 1 if it was stopped."""
        return 1.0 if self.finished else self._step / self._total

    @property
    def finished(self) -> bool:
        """Whether it is whole, or the steps to come are not expected to change a decision."""
        return self._is_whole or self._verdict is not Verdict.GO_ON

    @property
    def _is_whole(self) -> bool:
        """Whether all steps of the recipe are taken: the planned ones, or those that its patience lasted for."""
        return self._step >= self._total or self._has_no_patience(self._curve)

    def _has_no_patience(self, curve: Curve) -> bool:
        return self._patience is not None and is_out_of_patience(curve, self._patience)

    @property
    def was_accepted(self) -> bool:
        """Whether it was stopped since a checkpoint keeps the threshold, with steps left to take."""
        return self._verdict is Verdict.KEPT and not self._is_whole

    def advance(self) -> None:
        """Train up to the next evaluation on the validation split, and keep the checkpoint if it is the best yet.

        Raises:
            TrainingFailed: the loss is not finite any more.
        """
        started = time.perf_counter()
        self.take(self._course.next_evaluation(self._step) - self._step)
        outcomes = self._evaluate()
        self._seconds += time.perf_counter() - started
        if self._undominated:
            self._look = self._looked(outcomes, self._undominated)

    def _train_step(self) -> None:
        batch = self._steps.batch(self._step).on(self._precision.device)
        if self._noise:
            self._noise.add_(batch, self._masking)
        features = self._input(batch.features)  # [n, 1, f, t]
        mixed = self._augment(features, batch)
        seen = features.contiguous(memory_format=torch.channels_last)
        self._descend(self._steps.losses(Step(self._step, batch, seen, mixed)))
        self._steps.taken(self._step)
        self._rate.step()
        self._step += 1

    def _descend(self, losses: Mapping[str, Tensor]) -> None:
        """Take one step of the optimiser, down all losses together."""
        loss = total(losses)
        if not loss.isfinite():
            raise TrainingFailed(f"the loss of {', '.join(self._tasks)} is {loss.item()} at step {self._step}")
        with without_compiler():
            self._optimizer.zero_grad(set_to_none=True)
        self._weighting.backward(losses)
        if self._restraint:
            self._restraint.restrain()
        with without_compiler():
            self._scaler.step(self._optimizer)
        self._scaler.update()

    def _augment(self, features: Tensor, batch: Batch) -> Mixed | None:
        """Change the features in place; return which clips were mixed, if they were."""
        schedule, mixed = self._schedule, None
        if schedule.mixstyle:
            mix_styles_(features, schedule.mixstyle, self._masking)
        if schedule.mixup:
            mixed = mix_clips_(features, batch, schedule.mixup, self._masking)
        has_bands = self._data.template.front_end.has_bands
        mask_axes_(features, schedule.masking, self._masking, schedule.masking_width, has_bands)
        return mixed

    def _evaluate(self) -> Mapping[str, Outcomes]:
        outcomes, loss = self._ask_validation()
        metrics = {name: measure(outcomes[name], task.metric) for name, task in self._tasks.items()}
        self._curve.append({"step": self._step, **metrics, **({} if loss is None else {VALIDATION_LOSS: loss})})
        if self._affinities:
            self._affinities.look(self.model)
        if self._lookaheads:
            self._lookaheads.look(self.model)
        score = self._optimisation.choice.score(Seen(self._step, metrics, self._names, self._references, loss))
        is_new_phase = self._course.phase(self._step - 1) > self._course.phase(max(0, self._best.step - 1))
        if score > self._best.score or is_new_phase:
            if self._may_be_cut and self._best.step:
                self._earlier.append(Checkpoint(self._best.step, self._best.metrics, self._best.outcomes))
            self._best = _Best(score, self._step, metrics, outcomes, pack_weights(self.model))
        self._verdict = self._judge(self._curve)
        return outcomes

    def _looked(self, outcomes: Mapping[str, Outcomes], undominated: Undominated) -> Look:
        """Return what the evaluation after the last step found."""
        metrics = {name: self._curve[-1][name] for name in self._tasks}
        return Look(
            step=self._step,
            planned_steps=self._total,
            metrics=metrics,
            outcomes=outcomes,
            seconds=self._seconds,
            weights=pack_weights(self.model) if undominated.admit(metrics) else None,
            cosines=self._affinities.cosines if self._affinities else {},
        )

    def look(self, worker: str = "", *, with_state: bool = False) -> Look | None:
        """Return what the last evaluation of an open training found, with the state if it is wanted; else None."""
        if self._look is None or not with_state or self.finished:
            return self._look and replace(self._look, worker=worker)
        tensors = {name: np.array(tensor) for name, tensor in self._state_tensors().items()}
        return replace(self._look, worker=worker, state=OpenState(self._state_facts(), tensors))

    @property
    def _may_be_cut(self) -> bool:
        """Whether a stopping rule may ask for what this would have measured if it had ended earlier."""
        by_metric = self._optimisation.choice.is_by_metric and not self._schedule.algorithm.has_phases
        return bool(self._references) and by_metric

    def _ask_validation(self) -> tuple[Mapping[str, Outcomes], float | None]:
        """Return what the model says on the validation split, and its loss there if the recipe looks at it."""
        if not self._optimisation.needs_loss:
            return evaluate(self.model, self._data, Split.VALIDATION), None
        outcomes, loss = evaluate_with_loss(self.model, self._data, Split.VALIDATION)
        if not np.isfinite(loss):
            names = ", ".join(self._tasks)
            raise TrainingFailed(f"the loss of {names} on the validation split is {loss} at step {self._step}")
        return outcomes, loss

    def _judge(self, curve: Curve) -> Verdict:
        if not self._stopping or not self._references:
            return Verdict.GO_ON
        clips = {name: len(task.clips[Split.VALIDATION]) for name, task in self._tasks.items()}
        return self._stopping.verdict(curve, self._references, clips)

    def measurement(self, worker: str) -> Measurement:
        """Return the chosen checkpoint's worth on the validation split, and its weights."""
        best, steps_to_come = self._best, self._total - self._step
        return Measurement(
            metrics=best.metrics,
            outcomes=best.outcomes,
            steps=self._step,
            best_step=best.step,
            seconds=self._seconds,
            worker=worker,
            curve=tuple(self._curve),
            weights=best.weights,
            steps_left=0 if self._is_whole else steps_to_come,
            steps_spared=steps_to_come if self._is_whole else 0,
            affinities=self._affinities.means if self._affinities else {},
            earlier=tuple(self._earlier),
            cosines=self._affinities.cosines if self._affinities else {},
            steps_before=self._steps_before,
            seconds_before=self._seconds_before,
            lookaheads=self._lookaheads.means if self._lookaheads else {},
        )

    def pack_state(self, stamp: str) -> PackedState:
        """Return the state after the last `advance`; ``stamp`` says which training this is."""
        best = self._best
        checkpoints = [*self._earlier, Checkpoint(best.step, best.metrics, best.outcomes)]
        points = [point_of(checkpoint) for checkpoint in checkpoints]
        facts = {**self._state_facts(), "stamp": stamp, "score": best.score, "best": points}
        tensors = {
            **self._state_tensors(),
            **(prefixed(BEST, load_tensors(best.weights)) if best.step != self._step else {}),
            **outcome_tensors(checkpoints),
        }
        return PackedState.of(StateFacts.model_validate(facts), tensors)

    def _state_facts(self) -> dict[str, Any]:
        """Return the facts of a state but those that references decide."""
        cosines = [(*pair, seen) for pair, seen in self._affinities.cosines.items()] if self._affinities else None
        return {
            "version": TRAINING_VERSION,
            "step": self._step,
            "seconds": self._seconds,
            "curve": list(self._curve),
            "shuffling": self._batches.position.generator,
            "cosines": cosines,
            "scaling": self._scaler.state_dict(),
            "fewer_steps": fewer_steps(self._learned, self._optimizer, self._optimisation.kind, self._step),
        }

    def _state_tensors(self) -> dict[str, NDArray[Any]]:
        """Return the tensors of a state but those that references decide; they may change with the next step."""
        return {
            **prefixed(MODEL, self.model.state_dict()),
            **moment_tensors(self._learned, self._optimizer, self._optimisation.kind),
            **prefixed(ALGORITHM, self._steps.tensors()),
            **left_tensors(self._batches.position.left),
            **{f"{WEIGHTING}.{name}": found for name, found in self._weighting.state.items()},
            MASKING: self._masking.get_state().numpy(),
        }

    def go_on_from(self, state: PackedState, stamp: str) -> None:
        """Go on from a packed state instead of from step 0; `advance` was not called yet.

        Raises:
            InvalidInput: the state is damaged, or not one of this training; nothing has changed then.
        """
        facts = state.facts()
        facts.check_belongs_to(TRAINING_VERSION, stamp)
        self._check_fits(facts)
        pools = list(self._batches.pools)
        tensors = state.tensors(self._state_shapes(facts))
        checkpoints = to_checkpoints(facts.best, tensors)
        try:
            self._batches.go_on_at(BatchPosition(facts.shuffling, to_left(pools, tensors)))
        except (ValueError, TypeError, LookupError, OverflowError) as error:
            raise InvalidInput.at("state", f"it is damaged: no such position of the batches: {error}") from error
        self._restore(facts, tensors, checkpoints)

    def _state_shapes(self, facts: StateFacts) -> Shapes:
        kind, pools = self._optimisation.kind, len(self._batches.pools)
        own = state_shapes(self.model, self._learned, kind, self._masking, pools, facts, self._steps.tensors())
        return {**own, **typed_shapes(WEIGHTING, self._weighting.state)}

    def _check_fits(self, facts: StateFacts) -> None:
        """Check that this training takes the steps of the state, too, and further ones."""
        known = self._course.evaluations(min(facts.step, self._total - 1))
        if [point.get("step") for point in facts.curve] != known or facts.step not in known:
            raise InvalidInput.at("state", f"its {facts.step} steps are none after which this training is evaluated")
        loss = {VALIDATION_LOSS} if self._optimisation.needs_loss else set()
        if any(point.keys() != {"step", *self._tasks} | loss for point in facts.curve):
            raise InvalidInput.at("state", "its curve is one of other tasks, or of another recipe")
        if self._lookaheads or (self._affinities and facts.cosines is None):
            raise InvalidInput.at("state", "it has no affinities, which this training measures")
        if bool(facts.scaling) is not bool(self._scaler.state_dict()):
            raise InvalidInput.at("state", "its loss was scaled in another way: GPUs differ")
        if self._judge(facts.curve) is not Verdict.GO_ON or self._has_no_patience(facts.curve):
            raise InvalidInput.at("state", "it was taken further than this training goes")

    def _restore(self, facts: StateFacts, tensors: Tensors, checkpoints: Sequence[Checkpoint]) -> None:
        step = facts.step
        self.model.load_state_dict(without_prefix(MODEL, tensors))
        self._steps.restore(without_prefix(ALGORITHM, tensors))
        kind = self._optimisation.kind
        restore_moments(self._learned, self._optimizer, kind, tensors, step, facts.fewer_steps)
        self._rate.last_epoch = step
        self._optimizer.param_groups[0]["lr"] = self._optimisation.learning_rate * self._rate_factor(step)
        self._scaler.load_state_dict(facts.scaling)
        self._masking.set_state(torch.tensor(tensors[MASKING]))
        self._weighting.restore({name: tensors[f"{WEIGHTING}.{name}"] for name in self._weighting.state})
        if self._affinities:
            self._affinities.go_on_with(facts.cosines_by_pair)
        *self._earlier, last = checkpoints
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


def _check(
    tree: BranchTree,
    schedule: Schedule,
    references: Mapping[str, float] | None,
    stopping: Stopping | None,
    is_open: bool,
) -> None:
    """Refuse what a `Trainer` can't do."""
    if stopping and not set(tree.tasks) <= set(references or ()) & set(stopping.baselines):
        raise InvalidInput.at("stopping", "each task has a reference and the curve of its baseline")
    if stopping and not schedule.optimisation.choice.is_by_metric:
        choice = schedule.optimisation.checkpoint.value
        raise InvalidInput.at("stopping", f"takes a checkpoint that is chosen by metric; got {choice}")
    algorithm = schedule.algorithm
    if algorithm.has_phases and (stopping or is_open or schedule.optimisation.patience is not None):
        raise InvalidInput.at("schedule", f"a training by {algorithm.name} takes all steps of all its phases")


def _check_teachers(tree: BranchTree, schedule: Schedule, teachers: Teachers | None) -> None:
    """Refuse an algorithm that lacks a teacher."""
    known = teachers.weights if teachers else {}
    if missing := [task for task in schedule.algorithm.taught(tree.tasks) if task not in known]:
        names = ", ".join(missing)
        raise InvalidInput.at("teachers", f"algorithm {schedule.algorithm.name} needs the baseline of {names}")


def _initial_model(tree: BranchTree, data: StudyData, seed: int) -> TreeModel:
    """Return a model whose weights only the seed decides; torch's own random state does not change."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = TreeModel(tree, data.template, [data.tasks[name].task for name in tree.tasks])
    return model.to(memory_format=torch.channels_last)  # type: ignore[call-overload,no-any-return]


def pack_weights(model: TreeModel) -> bytes:
    """Return all tensors of a model in the safetensors form."""
    return save_tensors({name: tensor.contiguous() for name, tensor in model.state_dict().items()})


def unpack_weights(model: TreeModel, weights: bytes) -> TreeModel:
    """Put `pack_weights`'s tensors into a model of the same tree."""
    model.load_state_dict(load_tensors(weights))
    return model
