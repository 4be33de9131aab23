"""Training lengths beyond the search: what is trained, what equal trainings are, and what a reader makes of them."""

from dataclasses import replace

import pytest

from taskgraft.errors import InvalidInput
from taskgraft.evaluators.study_data import StudyData
from taskgraft.search.evidence.evidence import Evidence
from taskgraft.search.running.elsewhere import evidence_at
from taskgraft.search.running.jobs import job_for
from taskgraft.search.running.pipeline import schedule_of, training_digest_of
from taskgraft.search.study.trial import Training
from taskgraft.space.tree import BranchTree
from tests.search.corpora import beeps_spec
from tests.search.worlds import World, make_spec, simulate

AUTO = {"training": {"epochs": "auto", "batch_size": 12, "learning_rate": 0.005}}


def test_a_schedule_has_the_length_of_the_study_or_of_the_training() -> None:
    assert schedule_of(make_spec(2, training={"epochs": 7})).epochs == 7
    assert schedule_of(make_spec(2, **AUTO), 20).epochs == 20
    with pytest.raises(InvalidInput, match=r"training.epochs: is a whole number when a model is trained; got auto"):
        schedule_of(make_spec(2, **AUTO))


def test_a_study_that_says_the_epochs_that_another_chose_has_equal_trainings(beeps_data: StudyData) -> None:
    tree = BranchTree.flat(["pitch"], 8, 8)
    fixed, auto = beeps_spec(), beeps_spec(**AUTO)
    of_fixed = training_digest_of(job_for(Training(tree), fixed, Evidence(fixed)), beeps_data, fixed)
    jobs = {epochs: job_for(Training(tree, epochs=epochs), auto, Evidence(auto)) for epochs in (25, 50)}
    of_auto = {epochs: training_digest_of(job, beeps_data, auto) for epochs, job in jobs.items()}
    assert of_fixed == of_auto[25] != of_auto[50]


@pytest.mark.parametrize("strategy", ["adaptive", "groups", "exhaustive"])
def test_another_threshold_is_read_off_the_trainings_of_the_length(strategy: str) -> None:
    spec = make_spec(3, strategy=strategy, **AUTO)
    world = World({("a", "b", 8): 0.0, ("a", "b", 7): 0.0}, clips=400, enough=10, worst_tree=0.0)
    run = simulate(spec, world)
    assert Evidence(spec, run.trials).epochs == 10
    alike = make_spec(3, strategy=strategy, training={"epochs": 10})
    fixed = simulate(alike, replace(world, enough=0))
    for threshold in (0.02, 0.6):
        there = spec.at_threshold(threshold, 10) if threshold != 0.02 else spec
        found, expected = (
            evidence_at(there, run.trials),
            evidence_at(alike.at_threshold(threshold), fixed.trials),
        )
        assert dict(found.figures.references("abc")) == dict(expected.figures.references("abc"))
        assert set(found.measured_trees()) == set(expected.measured_trees())
