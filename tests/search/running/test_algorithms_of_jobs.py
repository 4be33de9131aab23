"""Trainings of a study by an algorithm: their digests, and what workers make of them."""

from typing import Any

import pytest

from taskgraft.evaluators.measurement import Measurement
from taskgraft.evaluators.study_data import StudyData
from taskgraft.search.evidence.evidence import Evidence
from taskgraft.search.running.jobs import Job, job_for
from taskgraft.search.running.pipeline import schedule_of, training_digest_of
from taskgraft.search.running.working import Work, to_config
from taskgraft.search.study.spec import StudySpec
from taskgraft.search.study.trial import Training
from taskgraft.space.tree import BranchTree
from tests.search.corpora import beeps_spec
from tests.search.worlds import finished, measurement

TASKS = ("pitch", "loud", "shape")
TREE = BranchTree.flat(TASKS, 8, 8)
ALGORITHMS: list[Any] = [
    "soft",
    "hard",
    "cross-soft",
    {"name": "cross-soft", "weight": 1},
    "cross-hard",
    {"name": "freeze", "order": list(TASKS)},
    {"name": "freeze", "order": list(reversed(TASKS))},
    {"name": "serial", "order": list(TASKS)},
    "soft-sharing",
    {"name": "soft-sharing", "form": "orthogonal"},
    {"name": "soft-sharing", "strength": 0.1},
    "distil",
    {"name": "distil", "temperature": 4},
    {"name": "distil", "share": 0.25},
    {"name": "distil", "others": True},
    "task-attention",
    {"name": "task-attention", "over": "channels"},
]


def spec_of(algorithm: object) -> StudySpec:
    return beeps_spec(training={"epochs": 2, "batch_size": 12, "algorithm": algorithm})


def job_of(spec: StudySpec) -> Job:
    trees = {task: Training(BranchTree.flat([task], 8, 8)) for task in TASKS}
    known = [finished(trees[task], measurement({task: 0.9})) for task in TASKS]
    return job_for(Training(TREE), spec, Evidence(spec, known))


def work(spec: StudySpec, data: StudyData) -> Measurement:
    under_way = Work(to_config(job_of(spec)), data, schedule_of(spec), "cpu")
    while not under_way.finished:
        under_way.advance()
    return under_way.measurement("here")


def test_the_digest_changes_with_algorithm_and_options(beeps_data: StudyData) -> None:
    specs = [spec_of(algorithm) for algorithm in ALGORITHMS]
    digests = [training_digest_of(job_of(spec), beeps_data, spec) for spec in specs]
    assert len(set(digests)) == len(ALGORITHMS)
    plain = spec_of("soft")
    assert training_digest_of(job_of(plain), beeps_data, plain) == digests[0]


@pytest.mark.parametrize("algorithm", ["hard", {"name": "freeze", "order": list(TASKS)}])
def test_workers_train_by_it(algorithm: object, beeps_data: StudyData) -> None:
    found, plain = (work(spec_of(one), beeps_data) for one in (algorithm, "soft"))
    assert found.weights != plain.weights
    assert found.steps == (plain.steps * 3 if isinstance(algorithm, dict) else plain.steps)
    assert not found.is_censored
