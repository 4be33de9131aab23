"""Weightings from the study file to the worker: what is trained, and which results studies share."""

import hashlib

import pytest

from taskgraft.evaluators.study_data import StudyData
from taskgraft.search.evidence.evidence import Evidence
from taskgraft.search.running.jobs import job_for
from taskgraft.search.running.pipeline import schedule_of, training_digest_of
from taskgraft.search.running.working import Work, to_config
from taskgraft.search.study.spec import StudySpec
from taskgraft.search.study.trial import Training
from taskgraft.space.tree import BranchTree
from tests.search.corpora import beeps_spec
from tests.search.worlds import finished, measurement

ALONE, PAIR = BranchTree.flat(["loud"], 8, 8), BranchTree.flat(["pitch", "loud"], 4, 8)
WEIGHTINGS = ["sum", "gradnorm", "pcgrad", {"name": "fixed", "weights": {"pitch": 1, "loud": 0.25, "shape": 1}}]


def study(weighting: object) -> StudySpec:
    return beeps_spec(training={"epochs": 2, "batch_size": 12, "loss_weighting": weighting})


def known(spec: StudySpec) -> Evidence:
    baselines = {"pitch": 0.9, "loud": 0.8}
    trees = {task: BranchTree.flat([task], 8, 8) for task in baselines}
    return Evidence(spec, [finished(Training(trees[task]), measurement({task: at})) for task, at in baselines.items()])


def digests(tree: BranchTree, data: StudyData) -> set[str]:
    specs = [study(weighting) for weighting in WEIGHTINGS]
    return {training_digest_of(job_for(Training(tree), spec, known(spec)), data, spec) for spec in specs}


def test_studies_share_baselines_and_nothing_that_was_weighed_in_another_way(beeps_data: StudyData) -> None:
    assert len(digests(ALONE, beeps_data)) == 1
    assert len(digests(PAIR, beeps_data)) == len(WEIGHTINGS)


@pytest.mark.parametrize("tree", [ALONE, PAIR], ids=["alone", "pair"])
def test_equal_digests_are_equal_results(tree: BranchTree, beeps_data: StudyData) -> None:
    found = set()
    for weighting in WEIGHTINGS:
        spec = study(weighting)
        under_way = Work(to_config(job_for(Training(tree), spec, known(spec))), beeps_data, schedule_of(spec), "cpu")
        while not under_way.finished:
            under_way.advance()
        found.add(hashlib.sha256(under_way.measurement("here").weights or b"").hexdigest())
    assert len(found) == len(digests(tree, beeps_data))
