"""``python -m benchmarks.training_lengths STUDY``: the noise of seeds and of clips, by task and training length.

Trains the baselines of a study of `make bench` with several seeds at every length that `training.epochs: auto` may
try, or at the lengths that are given. For each task: the mean metric on validation, by how much seeds differ (standard
deviation, relative), the part of it that clips explain on which trainings differ by chance, what seeds add (pooled over
the tasks), and what twice the length gains. The terms are those of docs/training_length.md.
"""

import argparse
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import cache
from itertools import product
from multiprocessing import get_context
from pathlib import Path

import numpy as np

from benchmarks.studies import STUDIES, load_study
from taskgraft.evaluators.measurement import Outcomes
from taskgraft.evaluators.study_data import StudyData
from taskgraft.evaluators.training import Trainer
from taskgraft.search.evidence.length import study_lengths
from taskgraft.search.running.pipeline import load_data, schedule_of
from taskgraft.search.statistics.repeats import Repeats
from taskgraft.search.statistics.training_length import Gain, SeedSpreads
from taskgraft.search.study.fields import AUTO
from taskgraft.search.study.preparation import prepare
from taskgraft.search.study.spec import StudySpec
from taskgraft.space.tree import BranchTree

_SEED = 2_000
"""Far from the seeds of studies and references."""

Question = tuple[str, int, int]
"""Task, epochs, seed."""
Answers = Mapping[tuple[str, int], Repeats]
"""All seeds of a task at a length."""


def main() -> None:
    options = _options()
    spec = load_study(STUDIES[options.study], options.out.absolute())
    data = _data(spec, options.out.absolute())
    lengths = options.epochs or study_lengths(_open_length(spec), data.epoch_clips)[: options.lengths]
    answers = train(spec, lengths, options.seeds, options.out.absolute(), options.workers)
    print(f"{spec.name}: {options.seeds} seeds, {data.epoch_clips:,} clips in an epoch")
    print("| task | epochs | steps | metric | seeds differ | clips explain | seeds add | twice the length gains |")
    print("| --- " * 8 + "|")
    for row in rows(spec, answers, lengths, data):
        print(f"| {' | '.join(row)} |")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.training_lengths", description=__doc__)
    parser.add_argument("study", choices=STUDIES)
    parser.add_argument("--epochs", type=int, nargs="+", help="these lengths; by default those of `epochs: auto`")
    parser.add_argument("--lengths", type=int, default=4, help="so many of the lengths of `epochs: auto` (default 4)")
    parser.add_argument("--seeds", type=int, default=4, help="trainings of each baseline (default 4)")
    parser.add_argument("--workers", type=int, default=2, help="trainings side by side (default 2)")
    parser.add_argument("--out", type=Path, default=Path("taskgraft-bench"), help="where corpora and features are kept")
    return parser.parse_args()


def _open_length(spec: StudySpec) -> StudySpec:
    return spec.model_copy(update={"training": spec.training.model_copy(update={"epochs": AUTO})})


def train(spec: StudySpec, lengths: Sequence[int], seeds: int, out: Path, workers: int) -> Answers:
    """Train every baseline at every length with every seed, the longest first."""
    questions = list(product(spec.task_names, sorted(lengths, reverse=True), range(seeds)))
    with ProcessPoolExecutor(workers, get_context("spawn")) as pool:
        futures = [pool.submit(said, spec, question, out) for question in questions]
        outcomes = {question: future.result() for question, future in zip(questions, futures, strict=True)}
    metrics = {task.name: task.metric for task in spec.tasks}
    return {
        (task, epochs): Repeats.of(metrics[task], [outcomes[task, epochs, seed] for seed in range(seeds)])
        for task, epochs in product(spec.task_names, lengths)
    }


def said(spec: StudySpec, question: Question, out: Path) -> Outcomes:
    """Train one baseline, and return what its best checkpoint says on validation."""
    task, epochs, seed = question
    depth = spec.encoder.depth
    schedule = schedule_of(_open_length(spec), epochs)
    trainer = Trainer(BranchTree.flat((task,), depth, depth), _data(spec, out), schedule, _SEED + seed)
    while not trainer.finished:
        trainer.advance()
    return trainer.measurement("").outcomes[task]


@cache
def _data(spec: StudySpec, out: Path) -> StudyData:
    prepared = prepare(spec, data_dir=out, base=out)
    return load_data(prepared, prepared.fingerprints(), out)


def rows(spec: StudySpec, answers: Answers, lengths: Sequence[int], data: StudyData) -> Iterator[Sequence[str]]:
    """Yield a row of text for every task and length."""
    spreads = {
        epochs: SeedSpreads.of({task: answers[task, epochs] for task in spec.task_names}).by_task for epochs in lengths
    }
    for task, epochs in product(spec.task_names, lengths):
        spread, steps = spreads[epochs][task], schedule_of(_open_length(spec), epochs).steps(data.epoch_clips)
        figures = answers[task, epochs].mean, spread.seeds, spread.clips, spread.excess
        gain = _gain(answers, task, epochs)
        yield task, str(epochs), f"{steps:,}", *(f"{100 * figure:.1f} %" for figure in figures), gain


def _gain(answers: Answers, task: str, epochs: int) -> str:
    twice = answers.get((task, 2 * epochs))
    if twice is None:
        return "-"
    gain = Gain.of(answers[task, epochs], twice)
    return f"{100 * gain.share:.1f} % ({100 * np.abs(gain.error):.1f})"


if __name__ == "__main__":
    main()
