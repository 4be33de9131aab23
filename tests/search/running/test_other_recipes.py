"""Trainings of another recipe than the study's own: what is trained, and that no decision looks at them."""

import hashlib
from dataclasses import replace

import pytest

from taskgraft.errors import InvalidInput
from taskgraft.evaluators.measurement import Measurement
from taskgraft.evaluators.optimisation.class_weights import ClassWeights
from taskgraft.evaluators.study_data import StudyData
from taskgraft.evaluators.training import Trainer
from taskgraft.search.evidence.compared import Repeat, compare_with
from taskgraft.search.evidence.evidence import Evidence
from taskgraft.search.evidence.trunks import trunk_of
from taskgraft.search.running.jobs import Job, job_for
from taskgraft.search.running.pipeline import schedule_of, training_digest_of
from taskgraft.search.running.reuse import needs_weights
from taskgraft.search.running.working import Work, to_config
from taskgraft.search.study.recipe_text import recipe_of
from taskgraft.search.study.spec import StudySpec
from taskgraft.search.study.trial import Training
from taskgraft.space.tree import BranchTree
from tests.search.corpora import beeps_spec
from tests.search.worlds import finished, make_spec, measurement

ALONE, PAIR = BranchTree.flat(["loud"], 8, 8), BranchTree.flat(["pitch", "loud"], 4, 8)
SHORT = {"epochs": 2, "batch_size": 12}


def known(spec: StudySpec) -> Evidence:
    baselines = {"pitch": 0.9, "loud": 0.8}
    trees = {task: BranchTree.flat([task], 8, 8) for task in baselines}
    return Evidence(spec, [finished(Training(trees[task]), measurement({task: at})) for task, at in baselines.items()])


def weights(measured: Measurement) -> str:
    assert measured.weights
    return hashlib.sha256(measured.weights).hexdigest()


def work(job: Job, spec: StudySpec, data: StudyData) -> Measurement:
    under_way = Work(to_config(job), data, schedule_of(spec), "cpu")
    while not under_way.finished:
        under_way.advance()
    return under_way.measurement("here")


def test_a_training_of_a_named_recipe_is_what_a_study_of_that_recipe_trains(beeps_data: StudyData) -> None:
    own = beeps_spec(training=SHORT | {"class_weights": "balanced"})
    other = beeps_spec(training={"recipe": "seed-scenes", "epochs": 2})
    data = {one.name: beeps_data.weighing_classes(one.training.class_weights) for one in (own, other)}
    data = {"own": beeps_data.weighing_classes(ClassWeights.BALANCED), "other": beeps_data}
    asked = job_for(Training(ALONE, recipe="seed-scenes"), own, Evidence(own))
    natural = job_for(Training(ALONE), other, Evidence(other))
    assert asked.schedule == schedule_of(other)
    assert training_digest_of(asked, data["own"], own) == training_digest_of(natural, data["other"], other)
    assert weights(work(asked, own, data["own"])) == weights(work(natural, other, data["other"]))
    plain = job_for(Training(ALONE), own, Evidence(own))
    assert training_digest_of(plain, data["own"], own) != training_digest_of(asked, data["own"], own)
    assert weights(work(plain, own, data["own"])) != weights(work(asked, own, data["own"]))


@pytest.mark.parametrize("fields", [{"algorithm": "hard", "class_weights": "balanced"}, {"loss_weighting": "mean"}])
def test_a_training_of_other_fields_is_what_a_study_of_these_fields_trains(
    beeps_data: StudyData, fields: dict[str, str]
) -> None:
    own, other = (beeps_spec(training=SHORT | {"epochs": 1} | more) for more in ({}, fields))
    asked = job_for(Training(PAIR, recipe=recipe_of(fields)), own, known(own))
    natural = replace(job_for(Training(PAIR), other, known(other)), stopping=None)
    data = beeps_data.weighing_classes(other.training.class_weights)
    assert asked.schedule == schedule_of(other)
    assert training_digest_of(asked, beeps_data, own) == training_digest_of(natural, data, other)
    assert weights(work(asked, own, beeps_data)) == weights(work(natural, other, data))
    key = asked.training.key
    assert Training.from_key(key) == asked.training
    assert key not in {Training(PAIR).key, Training(PAIR, recipe="seed-scenes").key}


def test_only_what_trains_against_a_label_hangs_on_it(beeps_data: StudyData) -> None:
    against = {"algorithm": {"name": "adversarial", "nuisance": "shape", "dataset": None}}
    own, other = (beeps_spec(training=SHORT | {"epochs": 1} | more) for more in ({}, against))
    reading = own.reading(("shape", None))
    shape = beeps_data.tasks["shape"]
    nuisance = replace(shape, task=replace(shape.task, name="nuisance"))
    data = replace(beeps_data, nuisance=nuisance)

    plain = job_for(Training(PAIR), own, known(own))
    hard = job_for(Training(PAIR, recipe=recipe_of({"algorithm": "hard"})), reading, known(own))
    for job in (plain, hard):  # these are taken over from, and serve, studies without a nuisance
        assert training_digest_of(job, data, reading) == training_digest_of(job, beeps_data, own)
        assert weights(work(job, reading, data)) == weights(work(job, own, beeps_data))

    asked = job_for(Training(PAIR, recipe=recipe_of(against)), reading, known(own))
    natural = replace(job_for(Training(PAIR), other, known(other)), stopping=None)
    assert training_digest_of(asked, data, reading) == training_digest_of(natural, data, other)
    assert training_digest_of(asked, data, reading) != training_digest_of(asked, beeps_data, reading)
    assert weights(work(asked, reading, data)) == weights(work(natural, other, data))
    assert weights(work(asked, reading, data)) != weights(work(plain, own, data))


def test_a_job_of_the_studys_own_recipe_is_trained_as_before(beeps_data: StudyData) -> None:
    spec = beeps_spec(training=SHORT)
    job = job_for(Training(ALONE), spec, Evidence(spec))
    assert job.schedule is None
    trainer = Trainer(ALONE, beeps_data, schedule_of(spec), spec.seed)
    while not trainer.finished:
        trainer.advance()
    assert weights(work(job, spec, beeps_data)) == weights(trainer.measurement("here"))


def test_it_is_compared_with_the_studys_own_baselines_and_takes_all_its_steps() -> None:
    spec = make_spec(["pitch", "loud"])
    evidence = known(spec)
    own = job_for(Training(PAIR, is_probe=True), spec, evidence)
    job = job_for(Training(PAIR, is_probe=True, recipe="seed-emotion"), spec, evidence)
    assert job.references == own.references == {"pitch": 0.9, "loud": 0.8}
    assert job.stopping is None
    assert job.schedule
    assert (job.schedule.epochs, job.schedule.batch_size) == (30, 32)
    assert needs_weights(spec, job, measurement({"pitch": 0.1, "loud": 0.1})), "it is measured on test by them"
    with pytest.raises(InvalidInput, match="recipe: there is default"):
        job_for(Training(PAIR, recipe="fast"), spec, evidence)


def test_no_decision_looks_at_it() -> None:
    spec = make_spec(["pitch", "loud"], training={"epochs": "auto"})
    lengths = (10, 20, 40)
    evidence = Evidence(spec, (), lengths)
    before = (evidence.epochs, evidence.facts.trained, list(evidence.measured_trees()), evidence.length)
    for training, metrics in (
        (Training(ALONE, epochs=40, recipe="seed-emotion"), {"loud": 0.99}),
        (Training(PAIR, epochs=40, recipe="seed-emotion"), {"pitch": 0.99, "loud": 0.99}),
        (Training(PAIR, epochs=40, recipe="seed-emotion", is_trunk=True), {"pitch": 0.99, "loud": 0.99}),
    ):
        evidence.add(finished(training, measurement(metrics)))
    assert (evidence.epochs, evidence.facts.trained, list(evidence.measured_trees()), evidence.length) == before
    assert evidence.length
    assert len(evidence.length.wanted()) == 4, "two baselines at the first length and at twice that"
    assert not evidence.has_baselines(["loud"])
    assert evidence.facts.count == 3
    assert len(evidence.facts.by_other_recipes) == 2
    assert evidence.assuming(finished(Training(ALONE, epochs=10), measurement({"loud": 0.8}))).facts.count == 4


def test_what_another_study_trained_of_it_is_no_part_of_the_budget() -> None:
    evidence = known(make_spec(["pitch", "loud"]))
    taken = replace(finished(Training(PAIR, recipe="seed-emotion"), measurement({"pitch": 0.9, "loud": 0.8})))
    evidence.add(replace(taken, taken_over_from="another"))
    assert (evidence.facts.trained, evidence.facts.taken_over, evidence.facts.count) == (2, 1, 3)


def test_lists_of_trainings_compare_it_with_the_baselines_of_the_studys_own_recipe() -> None:
    trainings = [
        (Training(ALONE, recipe="seed-emotion"), {"loud": 0.4}),
        (Training(ALONE), {"loud": 0.8}),
        (Training(BranchTree.flat(["pitch"], 8, 8)), {"pitch": 0.9}),
        (Training(PAIR, recipe="seed-emotion"), {"loud": 0.6, "pitch": 0.9}),
    ]
    baselines: dict[Repeat, dict[str, float]] = {(0, None): {"loud": 0.8, "pitch": 0.9}}
    compared = [compare_with(finished(one, measurement(metrics)), baselines) for one, metrics in trainings]
    assert [round(one.ar, 6) if one.ar is not None else None for one in compared] == [0.5, 0.0, 0.0, 0.25]


def test_models_of_a_recipe_start_from_a_trunk_of_that_recipe() -> None:
    spec = make_spec(["pitch", "loud"], training={"epochs": 8, "start": "trunk"})
    trunk = trunk_of(Training(PAIR, recipe="seed-scenes"), spec)
    assert trunk
    assert (trunk.recipe, trunk.is_trunk) == ("seed-scenes", True)
    job = job_for(trunk, spec, Evidence(spec))
    assert job.schedule
    assert (job.schedule.epochs, job.schedule.batch_size) == (2, 48)


@pytest.mark.parametrize(("training", "gives_up"), [({}, True), ({"schedule": "constant", "patience": 3}, False)])
def test_no_model_of_a_patient_recipe_is_given_up(training: dict[str, object], gives_up: bool) -> None:
    spec = make_spec(["pitch", "loud"], training={"epochs": 30, **training})
    curve = ({"step": 1, "pitch": 0.9, "loud": 0.8},)
    baselines = [
        finished(Training(BranchTree.flat([task], 8, 8)), replace(measurement({task: 0.9}), curve=curve))
        for task in ("pitch", "loud")
    ]
    job = job_for(Training(PAIR, is_probe=True), spec, Evidence(spec, baselines))
    assert job.stopping
    assert (job.stopping.gives_up, job.stopping.accepts) == (gives_up, True)
