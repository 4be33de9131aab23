"""The plain program: what a competent user of PyTorch and Ray Tune writes today for the same study.

One function trial per model, the full sweep (every baseline, every pair at every depth), one seed, one CPU a trial, the
defaults of torch (fp32, NCHW) and of Tune (its loggers write); recordings are read and turned into features by
torchaudio in the data loader. Then the tree synthesized from the matrix, trained once, as the paper does.

Models, losses, masks, learning rate, the number of steps, of clips a step and of evaluations are Taskgraft's, so that
the two programs differ in how they search and how they train, not in what they train.
"""

import argparse
import json
import os
import shlex
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import ray
import torch
from numpy.typing import NDArray
from ray import tune
from torch import Tensor
from torch.utils.data import DataLoader

from benchmarks.agreement import matrix_depths
from benchmarks.outcome import Outcome, PlainSample
from benchmarks.plain_data import (
    EndlessShuffle,
    Labels,
    Recordings,
    TrainingClips,
    WholeClips,
    labelled_clips,
    side_by_side,
)
from taskgraft.evaluators._torchaudio import torchaudio
from taskgraft.evaluators.datasets.splits import Split
from taskgraft.evaluators.datasets.targets import MISSING
from taskgraft.evaluators.features import Normalisation, build_rows
from taskgraft.evaluators.kinds.clip import ClipLabels
from taskgraft.evaluators.kinds.task_data import TaskData
from taskgraft.evaluators.losses import joint_loss
from taskgraft.evaluators.measurement import Outcomes
from taskgraft.evaluators.metrics import accuracy_reduction, measure
from taskgraft.evaluators.models.tree_model import TreeModel
from taskgraft.evaluators.optimisation.class_weights import weigh_classes
from taskgraft.search.study.preparation import PreparedStudy, prepare
from taskgraft.search.study.spec import StudySpec
from taskgraft.search.study.training_spec import TrainingSpec
from taskgraft.search.study.trial import Training
from taskgraft.space.matrix import Cell, Pair, ReductionMatrix
from taskgraft.space.synthesis import synthesize
from taskgraft.space.template import Template
from taskgraft.space.tree import BranchTree

_WARM_UP = 0.1
_MAX_EVALUATIONS = 15
_EVALUATED_AT_ONCE = 32
_MAX_CROP_SECONDS = 4.0
_BASELINES = "baselines"


@dataclass(frozen=True, slots=True, eq=False)
class PlainStudy:
    """All that a trial needs; Tune puts it into its object store once."""

    template: Template
    training: TrainingSpec
    seed: int
    tasks: Mapping[str, TaskData]
    """For the loss: without targets."""
    labels: Mapping[str, Labels]
    recordings: Mapping[str, Recordings]
    crop: int
    """Log-mel frames."""
    mean: NDArray[np.float32]
    deviation: NDArray[np.float32]

    def labels_of(self, corpus: str, names: Sequence[str]) -> dict[str, Labels]:
        """Return the labels of the tasks that ask about this corpus."""
        return {name: self.labels[name] for name in names if self.tasks[name].corpus == corpus}

    @property
    def steps(self) -> int:
        """Optimiser steps of every model: epochs over the largest training split."""
        clips = [
            len(labelled_clips(recordings, self.labels_of(corpus, list(self.tasks)), Split.TRAIN))
            for corpus, recordings in self.recordings.items()
        ]
        return self.training.given_epochs * -(-max(clips) // self.training.batch_size)


def read_plain_study(prepared: PreparedStudy) -> PlainStudy:
    """Read labels and headers, and measure the normalisation: one pass over all training clips."""
    spec, template = prepared.spec, prepared.spec.encoder
    recordings = {name: Recordings.of(corpus, template.front_end) for name, corpus in prepared.corpora.items()}
    per_second = template.front_end.frames_per_second
    labels = {one.task.name: Labels.of(one, recordings[one.corpus].lengths, per_second) for one in prepared.labelled}
    tasks = {}
    for one in prepared.labelled:
        train = labelled_clips(recordings[one.corpus], {one.task.name: labels[one.task.name]}, Split.TRAIN)
        seen = np.concatenate([np.atleast_1d(labels[one.task.name].values[clip]) for clip in train]).astype(np.int16)
        weights = weigh_classes(spec.training.class_weights, one.metric, seen, one.task.classes)
        nothing = ClipLabels(np.zeros(0, np.int16))  # labels are written out by clip instead
        tasks[one.task.name] = TaskData(one.task, one.corpus, one.metric, one.targets.label_set, nothing, {}, weights)
    train_clips = {
        name: labelled_clips(part, {one: labels[one] for one in tasks if tasks[one].corpus == name}, Split.TRAIN)
        for name, part in recordings.items()
    }
    crop = _crop(template, [recordings[name].lengths[clips] for name, clips in train_clips.items()], spec.training)
    mean, deviation = _statistics(template, recordings, train_clips)
    return PlainStudy(template, spec.training, spec.seed, tasks, labels, recordings, crop, mean, deviation)


def _crop(template: Template, lengths: Sequence[NDArray[np.int32]], training: TrainingSpec) -> int:
    """Return what 95 % of the clips of every corpus fit into, at most 4 s, as a whole number of time strides."""
    per_second = template.front_end.frames_per_second
    longest = min(max(float(np.quantile(one, 0.95)) for one in lengths), _MAX_CROP_SECONDS * per_second)
    frames = training.clip_seconds * per_second if training.clip_seconds else longest
    return max(1, int(np.ceil(frames / template.time_stride))) * template.time_stride


def _statistics(
    template: Template, recordings: Mapping[str, Recordings], clips: Mapping[str, NDArray[np.int64]]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return mean and deviation of every band over the training clips, each [f]."""
    log_mel = build_rows(template.front_end)
    count, total, squares = 0, np.zeros(template.front_end.rows), np.zeros(template.front_end.rows)
    for corpus, part in clips.items():
        for clip in part.tolist():
            frames = log_mel(recordings[corpus].read(clip, template.front_end)).double().numpy()  # [f, frames]
            count, total, squares = count + frames.shape[1], total + frames.sum(1), squares + (frames**2).sum(1)
    mean = total / count
    deviation = np.sqrt(np.maximum(squares / count - mean**2, 1e-4))
    return mean.astype(np.float32), deviation.astype(np.float32)


def train_model(config: Mapping[str, Any], study: PlainStudy, models: Mapping[str, str]) -> None:
    """Train one model, report after every evaluation, keep the best checkpoint, end with the test split."""
    training = Training.from_key(models[config["model"]])
    names, total = training.tasks, study.steps
    torch.manual_seed(study.seed)
    tasks = {name: study.tasks[name] for name in names}
    model = TreeModel(training.tree, study.template, [task.task for task in tasks.values()])
    normalise = Normalisation(study.mean, study.deviation)
    optimizer = torch.optim.AdamW(model.parameters(), lr=study.training.learning_rate, betas=(0.9, 0.999))
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: _rate(step, total))
    masks = _masks(study)
    every = max(1, total // min(study.training.given_epochs, _MAX_EVALUATIONS))
    best: dict[str, Any] = {"score": -np.inf}
    batches = _batches(study, names)
    for step in range(1, total + 1):
        model.train()
        features, rows, targets = next(batches)
        loss = joint_loss(tasks, model(masks(normalise(features)), rows), targets)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        schedule.step()
        if step % every == 0 or step == total:
            metrics = evaluate(model, normalise, study, names, Split.VALIDATION)
            score = _score(metrics, config["references"])
            if score > best["score"]:
                best = {"score": score, "step": step, "metrics": metrics}
                _report(best, loss, model)
            else:
                tune.report({**_flat(best), "loss": float(loss.detach())})
    _end(model, normalise, study, names, best, test=config["test"])


def _report(best: Mapping[str, Any], loss: Tensor, model: TreeModel) -> None:
    """Report with a checkpoint; Tune keeps the best one."""
    with tempfile.TemporaryDirectory() as folder:
        torch.save(model.state_dict(), Path(folder) / "model.pt")
        tune.report({**_flat(best), "loss": float(loss.detach())}, checkpoint=tune.Checkpoint.from_directory(folder))


def _flat(best: Mapping[str, Any]) -> dict[str, Any]:
    metrics = {f"validation_{name}": value for name, value in best["metrics"].items()}
    return {"score": best["score"], "best_step": best["step"], **metrics}


def _end(
    model: TreeModel,
    normalise: Normalisation,
    study: PlainStudy,
    names: Sequence[str],
    best: Mapping[str, Any],
    *,
    test: bool,
) -> None:
    """Report the end; the best checkpoint's metrics on the test split if somebody needs them (not of pairs)."""
    report = {**_flat(best), "parameters": sum(one.numel() for one in model.parameters()), "steps": study.steps}
    report |= {"cpu_seconds": time.process_time()}  # of a process that trains this model and no other
    checkpoint = tune.get_checkpoint()
    if test and checkpoint is not None:
        with checkpoint.as_directory() as folder:
            model.load_state_dict(torch.load(Path(folder) / "model.pt", weights_only=True))
        found = evaluate(model, normalise, study, names, Split.TEST)
        report |= {f"test_{name}": value for name, value in found.items()}
    tune.report(report)


def _rate(step: int, total: int) -> float:
    """Return the rate's factor: linear warm-up over a tenth of the steps, then cosine to zero."""
    warm = max(1, round(_WARM_UP * total))
    if step < warm:
        return (step + 1) / warm
    return float(0.5 * (1 + np.cos(np.pi * (step - warm) / max(1, total - warm))))


def _masks(study: PlainStudy) -> torch.nn.Module:
    """Mask one stretch of bands and one of frames per clip, by torchaudio."""
    share = study.training.masking
    return torch.nn.Sequential(
        torchaudio.transforms.FrequencyMasking(int(study.template.front_end.rows * share) + 1, iid_masks=True),
        torchaudio.transforms.TimeMasking(int(study.crop * share) + 1, iid_masks=True),
    )


def _score(metrics: Mapping[str, float], references: Mapping[str, float]) -> float:
    """Return what the best checkpoint maximizes: its worst task against the baseline; the mean metric of a baseline."""
    if not references:
        return float(np.mean(list(metrics.values())))
    return min(metric / max(references[name], 1e-9) for name, metric in metrics.items())


def _batches(study: PlainStudy, names: Sequence[str]) -> Iterator[tuple[Tensor, dict[str, Tensor], dict[str, Tensor]]]:
    """Yield features [n, 1, f, t] of all corpora for one forward pass, each task's rows and targets, without end."""
    generator = torch.Generator().manual_seed(study.seed)
    streams = []
    for corpus in {study.tasks[name].corpus: None for name in names}:
        clips = TrainingClips(study.recordings[corpus], study.labels_of(corpus, names), study.template, study.crop)
        sampler = EndlessShuffle(len(clips), generator)
        streams.append(iter(DataLoader(clips, study.training.batch_size, sampler=sampler, num_workers=0)))
    while True:
        parts: list[Tensor] = []
        rows: dict[str, Tensor] = {}
        targets: dict[str, Tensor] = {}
        first = 0
        for features, labels in map(next, streams):
            present = torch.arange(first, first + len(features))
            rows |= dict.fromkeys(labels, present)
            targets |= labels
            parts.append(features)
            first += len(features)
        yield torch.cat(parts), rows, targets


def evaluate(
    model: TreeModel, normalise: Normalisation, study: PlainStudy, names: Sequence[str], split: Split
) -> dict[str, float]:
    """Return each task's metric on the labelled clips of a split; a clip's class is what its windows find likeliest."""
    model.eval()
    found: dict[str, float] = {}
    for corpus in {study.tasks[name].corpus: None for name in names}:
        labels = study.labels_of(corpus, names)
        clips = WholeClips(study.recordings[corpus], labels, study.template, study.crop, split)
        answers: dict[str, list[Outcomes]] = {name: [] for name in labels}
        with torch.no_grad():
            for windows in DataLoader(clips, _EVALUATED_AT_ONCE, collate_fn=side_by_side, num_workers=0):
                scores = model(normalise(windows.features), dict.fromkeys(labels, torch.arange(len(windows.clips))))
                for name in labels:
                    answers[name].append(
                        _step_answers(scores[name], windows.targets[name], windows.fresh)
                        if labels[name].steps
                        else _clip_answers(scores[name], windows.targets[name], windows.clips)
                    )
        found |= {name: measure(_joined(parts), study.tasks[name].metric) for name, parts in answers.items()}
    return {name: found[name] for name in names}


def _clip_answers(scores: Tensor, targets: Tensor, windows: Tensor) -> Outcomes:
    """Return one row for each labelled clip; all windows of a clip are in one batch."""
    labelled = targets != MISSING
    clips, place = torch.unique(windows[labelled], return_inverse=True)
    likelihood = torch.zeros(len(clips), scores.shape[1]).index_add_(0, place, scores[labelled].log_softmax(1))
    truth = torch.zeros(len(clips), dtype=torch.long).index_copy_(0, place, targets[labelled])
    return _outcomes(clips, truth, likelihood.argmax(1), torch.ones(len(clips)))


def _step_answers(scores: Tensor, targets: Tensor, fresh: Tensor) -> Outcomes:
    """Return four rows: how often each answer was taken for each."""
    counted = (targets != MISSING) & fresh
    kinds = torch.bincount(2 * targets[counted] + (scores.squeeze(-1)[counted] > 0).long(), minlength=4)
    return _outcomes(torch.zeros(4), torch.tensor([0, 0, 1, 1]), torch.tensor([0, 1, 0, 1]), kinds)


def _outcomes(*columns: Tensor) -> Outcomes:
    return Outcomes.of_classes(*(column.numpy().astype(np.int32) for column in columns))


def _joined(parts: Sequence[Outcomes]) -> Outcomes:
    return Outcomes.of_classes(
        *(
            np.concatenate([getattr(part.classes, column) for part in parts])
            for column in ("clips", "truth", "predicted", "counts")
        )
    )


class Sweep:
    """The driver: baselines, pairs, the tree, one Tune experiment each."""

    def __init__(self, spec: StudySpec, study: PlainStudy, folder: Path) -> None:
        self._spec, self._study, self._folder = spec, study, folder
        self._depth = study.template.depth
        self.trials = 0

    def run(self) -> Outcome:
        """Run the whole study. The AR of its tree is measured on the test split; nothing is verified."""
        names = self._spec.task_names
        alone = self._train(_BASELINES, self._alone())
        references = {name: alone[name][f"validation_{name}"] for name in names}
        matrix = ReductionMatrix(names, self._pairs(references))
        tree = synthesize(matrix, self._spec.ar_threshold, self._study.template, self._spec.decision)
        tested = {name: alone[name][f"test_{name}"] for name in names}
        parameters, ar = sum(alone[name]["parameters"] for name in names), 0.0
        if tree.is_shared:
            final = self._train("tree", {"tree": tree}, references)["tree"]
            parameters = final["parameters"]
            ar = accuracy_reduction(tested, {name: final[f"test_{name}"] for name in names})
        depths = matrix_depths(self._spec, matrix)
        steps = self._study.steps * self.trials
        return Outcome(self.trials, steps, depths, tree.to_json(), int(parameters), ar, None)

    def sample(self, size: int) -> PlainSample:
        """Train about ``size`` models of the sweep, drawn at random from each stratum: two of it at least."""
        random = np.random.default_rng(self._study.seed)
        sampled, strata = {}, self._strata()
        for name, trees in strata.items():
            wanted = 2 if name == _BASELINES else max(2, (size - 2) // (len(strata) - 1))
            drawn = random.choice(list(trees), min(len(trees), wanted), replace=False)
            ended = self._train(name, {model: trees[model] for model in drawn.tolist()}, test=name == _BASELINES)
            sampled[name] = ([report["cpu_seconds"] for report in ended.values()], len(trees))
        return PlainSample(sampled)

    def _strata(self) -> dict[str, dict[str, BranchTree]]:
        """Return the models of the sweep: a pair whose tasks lie in two datasets sees twice as many clips a step."""
        strata = {_BASELINES: self._alone()}
        for model, tree in self._together().items():
            datasets = len({self._study.tasks[task].corpus for task in tree.tasks})
            strata.setdefault(f"pairs-of-{datasets}", {})[model] = tree
        return strata

    def _alone(self) -> dict[str, BranchTree]:
        return {name: BranchTree.flat((name,), self._depth, self._depth) for name in self._spec.task_names}

    def _together(self) -> dict[str, BranchTree]:
        return {
            f"{first}+{second}-{depth}": BranchTree.flat((first, second), depth, self._depth)
            for first, second in combinations(self._spec.task_names, 2)
            for depth in self._spec.depths
        }

    def _pairs(self, references: Mapping[str, float]) -> dict[Pair, dict[int, Cell]]:
        trees = self._together()
        cells: dict[Pair, dict[int, Cell]] = {}
        for name, found in self._train("pairs", trees, references, test=False).items():
            first, second = trees[name].tasks
            metrics = {task: found[f"validation_{task}"] for task in (first, second)}
            kept = {task: references[task] for task in (first, second)}
            cells.setdefault((first, second), {})[trees[name].root.blocks[1]] = Cell(accuracy_reduction(kept, metrics))
        return cells

    def _train(
        self,
        experiment: str,
        trees: Mapping[str, BranchTree],
        references: Mapping[str, float] | None = None,
        *,
        test: bool = True,
    ) -> dict[str, dict[str, Any]]:
        """Train every model and return its last report.

        Raises:
            RuntimeError: a trial failed.
        """
        models = {name: Training(tree).key for name, tree in trees.items()}
        trial = tune.with_parameters(train_model, study=self._study, models=models)
        results = tune.Tuner(
            tune.with_resources(trial, {"cpu": 1}),
            param_space={"model": tune.grid_search(list(trees)), "references": dict(references or {}), "test": test},
            run_config=tune.RunConfig(
                name=experiment,
                storage_path=str(self._folder),
                checkpoint_config=tune.CheckpointConfig(num_to_keep=1, checkpoint_score_attribute="score"),
            ),
        ).fit()
        if results.errors:
            raise RuntimeError(f"a trial of {experiment} failed: {results.errors[0]}")
        self.trials += len(results)
        ended = (results[place] for place in range(len(results)))
        return {result.config["model"]: dict(result.metrics or {}) for result in ended if result.config}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.plain", description="The plain program.")
    parser.add_argument("study", type=Path, help="the study as JSON, its data sets as absolute paths")
    parser.add_argument("out", type=Path, help="folder for Tune's records and for outcome.json")
    parser.add_argument("--sample", type=int, help="train so many of the models only, and write sample.json instead")
    options = parser.parse_args()
    spec = StudySpec.parse(json.loads(options.study.read_text()))
    study = read_plain_study(prepare(spec, data_dir=options.out, base=options.out))
    # Ray hands this path to a shell as it is: without the quotes no worker starts where a folder's name has a space.
    ray.init(num_cpus=os.cpu_count(), runtime_env={"py_executable": shlex.quote(sys.executable)})
    sweep = Sweep(spec, study, options.out.absolute() / "tune")
    if options.sample:
        sweep.sample(options.sample).write(options.out / "sample.json")
    else:
        sweep.run().write(options.out / "outcome.json")
    ray.shutdown()


if __name__ == "__main__":
    main()
