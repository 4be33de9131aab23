"""The table of training lengths, on baselines that take no time."""

from itertools import product
from pathlib import Path

import pytest
from benchmarks.training_lengths import rows, said

from benchmarks import training_lengths
from taskgraft.evaluators.metrics import measure
from taskgraft.search.statistics.repeats import Repeats
from taskgraft.search.study.spec import StudySpec
from tests.search.corpora import beeps_spec, write_beeps

LENGTHS, SEEDS = (1, 2, 3), 2


@pytest.fixture(scope="module")
def spec(tmp_path_factory: pytest.TempPathFactory) -> StudySpec:
    dataset = str(write_beeps(tmp_path_factory.mktemp("lengths") / "beeps"))
    body = beeps_spec().to_plain()
    return StudySpec.parse({**body, "tasks": [{**task, "dataset": dataset} for task in body["tasks"][:2]]})


def test_every_task_and_length_has_a_row_and_the_longest_no_gain(spec: StudySpec, tmp_path: Path) -> None:
    metrics = {task.name: task.metric for task in spec.tasks}
    outcomes = {
        (task, epochs): [said(spec, (task, epochs, seed), tmp_path) for seed in range(SEEDS)]
        for task, epochs in product(spec.task_names, LENGTHS)
    }
    answers = {(task, epochs): Repeats.of(metrics[task], found) for (task, epochs), found in outcomes.items()}
    found = list(rows(spec, answers, LENGTHS, training_lengths._data(spec, tmp_path)))
    assert [(row[0], int(row[1]), int(row[2])) for row in found] == [
        (task, epochs, 3 * epochs)  # 36 clips, 12 a step
        for task, epochs in product(spec.task_names, LENGTHS)
    ]
    for task, epochs, _, metric, *_, gain in found:
        mean = sum(measure(outcome, metrics[task]) for outcome in outcomes[task, int(epochs)]) / SEEDS
        assert metric == f"{100 * mean:.1f} %"
        assert (gain == "-") == (epochs != "1"), "only 2 epochs are twice another length"
