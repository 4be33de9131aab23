"""Trainings by recipes other than the default: which end they come to, and that they go on from a state bit for bit."""

from dataclasses import replace

import numpy as np
import pytest

from taskgraft.errors import InvalidInput, TrainingFailed
from taskgraft.evaluators import training
from taskgraft.evaluators.batches import evaluation_batches
from taskgraft.evaluators.datasets.splits import Split
from taskgraft.evaluators.datasets.targets import MISSING
from taskgraft.evaluators.evaluation import evaluate, evaluate_with_loss
from taskgraft.evaluators.measurement import Measurement
from taskgraft.evaluators.models.tree_model import TreeModel
from taskgraft.evaluators.optimisation.checkpoints import VALIDATION_LOSS, ChoiceName
from taskgraft.evaluators.optimisation.class_weights import ClassWeights
from taskgraft.evaluators.optimisation.optimisation import Optimisation
from taskgraft.evaluators.optimisation.optimisers import OptimiserName
from taskgraft.evaluators.optimisation.presets import PRESETS, RecipeName
from taskgraft.evaluators.optimisation.rates import RateName
from taskgraft.evaluators.replay import replay
from taskgraft.evaluators.schedule import Schedule
from taskgraft.evaluators.stopping import Stopping
from taskgraft.evaluators.study_data import StudyData
from taskgraft.evaluators.training import Trainer, unpack_weights
from taskgraft.evaluators.training_state import PackedState
from taskgraft.space.tasks import TaskKind
from taskgraft.space.tree import BranchTree
from tests.evaluators.test_training_state import ALL, REFERENCES, STAMP, assert_equal, finish
from tests.evaluators.tones import label_values

PATIENT = Schedule(60, 16, Optimisation(0.01, OptimiserName.ADAM, schedule=RateName.CONSTANT, patience=3))
"""Learns the tones in a few epochs, and then gains nothing."""
RECIPES = {
    **{name.value: PRESETS[name].optimisation for name in RecipeName},
    "sgd": Optimisation(0.05, OptimiserName.SGD, schedule=RateName.WARMUP_LINEAR, checkpoint=ChoiceName.LAST),
    "patient": replace(PATIENT.optimisation, optimiser=OptimiserName.SGD, checkpoint=ChoiceName.METRIC),
}


def short(name: str) -> Schedule:
    return Schedule(4, 9, RECIPES[name])


@pytest.mark.parametrize("name", RECIPES)
def test_a_training_by_any_recipe_goes_on_from_its_state_bit_for_bit(tone_data: StudyData, name: str) -> None:
    def trainer() -> Trainer:
        return Trainer(ALL, tone_data, short(name), 3, REFERENCES)

    whole, interrupted = trainer(), trainer()
    expected = finish(whole)
    interrupted.advance()
    while not interrupted.finished:
        state = PackedState(bytes(interrupted.pack_state(STAMP).content))
        interrupted = trainer()
        interrupted.go_on_from(state, STAMP)
        interrupted.advance()
    assert_equal(interrupted.measurement("here"), expected)
    assert interrupted.measurement("here").steps_spared == expected.steps_spared


def test_a_state_of_another_optimiser_or_choice_is_refused(tone_data: StudyData) -> None:
    trainers = {name: Trainer(ALL, tone_data, short(name), 3, REFERENCES) for name in RECIPES}
    trainers["default"].advance()
    state = trainers["default"].pack_state(STAMP)
    with pytest.raises(InvalidInput, match="tensors are not those of the model: second"):
        trainers["sgd"].go_on_from(state, STAMP)
    with pytest.raises(InvalidInput, match="or of another recipe"):
        trainers["seed-emotion"].go_on_from(state, STAMP)


def curve_of(measured: Measurement) -> list[float]:
    return [point[VALIDATION_LOSS] for point in measured.curve]


def test_patience_ends_a_training_that_is_whole_then(tone_data: StudyData) -> None:
    trainer = Trainer(BranchTree.flat(["shape"], 8, 8), tone_data, PATIENT, 0)
    measured = finish(trainer)
    losses, epoch = curve_of(measured), PATIENT.interval(tone_data.epoch_clips)
    best = int(np.argmin(losses))
    assert len(losses) - 1 - best == 3
    assert [point["step"] for point in measured.curve] == [epoch * (place + 1) for place in range(len(losses))]
    assert measured.steps < measured.planned_steps == PATIENT.steps(tone_data.epoch_clips)
    assert measured.steps_spared == measured.planned_steps - measured.steps > 0
    assert (measured.is_censored, measured.steps_left, measured.share, trainer.fraction) == (False, 0, 1.0, 1.0)
    again = Measurement.from_json(measured.to_json())
    assert (again.steps_spared, again.planned_steps) == (measured.steps_spared, measured.planned_steps)


def test_patience_that_is_not_used_up_changes_nothing(tone_data: StudyData) -> None:
    tree, endless = BranchTree.flat(["pitch"], 8, 8), replace(PATIENT, epochs=3)
    measured = finish(Trainer(tree, tone_data, endless, 0))
    assert (measured.steps_spared, measured.steps_left, measured.steps) == (0, 0, measured.planned_steps)


def test_a_probe_of_a_patient_recipe_goes_on_and_a_whole_training_answers_for_it(tone_data: StudyData) -> None:
    def trainer(stopping: Stopping | None = None) -> Trainer:
        return Trainer(ALL, tone_data, PATIENT, 1, dict.fromkeys(ALL.tasks, 0.9), stopping)

    whole = finish(trainer())
    assert whole.steps_spared
    accepts = Stopping(0.2, True, dict.fromkeys(ALL.tasks, whole.curve), gives_up=False)
    probe = trainer(accepts)
    stopped = finish(probe)
    assert probe.was_accepted
    assert stopped.is_censored
    assert (stopped.steps_spared, stopped.planned_steps) == (0, whole.planned_steps)
    replayed = replay(whole, dict.fromkeys(ALL.tasks, 0.9), accepts)
    assert replayed
    for part in ("metrics", "steps", "steps_left", "steps_spared", "best_step", "curve"):
        assert getattr(replayed, part) == getattr(stopped, part), part
    going_on = trainer()
    going_on.go_on_from(probe.pack_state(STAMP), STAMP)
    assert_equal(finish(going_on), whole)
    never = Stopping(0.0, False, dict.fromkeys(ALL.tasks, whole.curve), gives_up=False)
    assert replay(whole, dict.fromkeys(ALL.tasks, 0.9), never) is whole


def test_a_state_whose_patience_is_over_is_refused(tone_data: StudyData) -> None:
    tree = BranchTree.flat(["shape"], 8, 8)
    ended = Trainer(tree, tone_data, PATIENT, 0)
    finish(ended)
    with pytest.raises(InvalidInput, match="taken further than this training goes"):
        Trainer(tree, tone_data, PATIENT, 0).go_on_from(ended.pack_state(STAMP), STAMP)


def test_the_result_is_the_checkpoint_that_the_recipe_chooses(tone_data: StudyData) -> None:
    """The steps are the same: only what is taken from them differs."""
    found = {}
    for choice in ChoiceName:
        optimisation = Optimisation(0.02, schedule=RateName.CONSTANT, checkpoint=choice)
        found[choice] = finish(Trainer(ALL, tone_data, Schedule(8, 16, optimisation), 2, REFERENCES))
    by_loss, last = found[ChoiceName.LOSS], found[ChoiceName.LAST]
    assert by_loss.best_step == by_loss.curve[int(np.argmin(curve_of(by_loss)))]["step"] < by_loss.steps
    assert last.best_step == last.steps
    plain = [{key: value for key, value in point.items() if key != VALIDATION_LOSS} for point in by_loss.curve]
    assert plain == list(last.curve) == list(found[ChoiceName.METRIC].curve)
    for measured in (by_loss, last):
        point = next(one for one in measured.curve if one["step"] == measured.best_step)
        assert measured.metrics == {task: point[task] for task in ALL.tasks}
        assert not measured.earlier, "no stopping rule may cut it"


def test_only_a_choice_by_metric_may_be_stopped(tone_data: StudyData) -> None:
    curve = [{"step": 1, **REFERENCES}]
    stopping = Stopping(0.1, True, dict.fromkeys(ALL.tasks, curve))
    with pytest.raises(InvalidInput, match="chosen by metric; got last"):
        Trainer(ALL, tone_data, short("sgd"), 0, REFERENCES, stopping)


def test_the_validation_loss_is_that_of_training_on_the_validation_clips(tone_data: StudyData) -> None:
    """Every clip fits into one window here, so that the loss over windows is the one over clips."""
    data = tone_data.weighing_classes(ClassWeights.BALANCED)
    measured = finish(Trainer(ALL, data, short("seed-emotion"), 0))
    assert measured.weights
    model = TreeModel(ALL, data.template, [task.task for task in data.tasks.values()])
    unpack_weights(model, measured.weights)
    outcomes, loss = evaluate_with_loss(model, data, Split.VALIDATION)
    assert loss == min(curve_of(measured))
    plain = evaluate(model, data, Split.VALIDATION)
    assert {task: said.to_text() for task, said in outcomes.items()} == {
        task: said.to_text() for task, said in plain.items()
    }
    assert loss == pytest.approx(sum(by_hand(model, data, task) for task in ALL.tasks), rel=1e-5)


def by_hand(model: TreeModel, data: StudyData, name: str) -> float:
    """The weighted mean of minus the log-likelihoods of all labels, one after the other."""
    task, total, weights = data.tasks[name], 0.0, 0.0
    for batch, _, fresh in evaluation_batches(data, list(data.tasks.values()), Split.VALIDATION):
        scores = model(data.input_module()(batch.features), batch.rows)[name].detach().double()
        likelihoods = scores.softmax(1) if task.task.kind is TaskKind.CLIP else scores.sigmoid()
        for clip, targets in enumerate(batch.targets[name]):
            for place, target in enumerate(targets.reshape(-1).tolist()):
                if target == MISSING or (targets.ndim and not fresh[clip, place]):
                    continue
                of_label = likelihoods[clip, target] if not targets.ndim else likelihoods[clip, place]
                likelihood = of_label if not targets.ndim or target else 1 - of_label
                total -= float(task.class_weights[target]) * float(likelihood.log())
                weights += float(task.class_weights[target])
    return total / weights


def test_a_validation_loss_that_is_not_finite_ends_the_training(
    tone_data: StudyData, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(training, "evaluate_with_loss", lambda *asked: ({}, float("nan")))
    trainer = Trainer(ALL, tone_data, short("seed-emotion"), 0)
    with pytest.raises(TrainingFailed, match="pitch, shape, tone on the validation split is nan at step"):
        trainer.advance()


def test_class_weights_follow_the_rule(tone_data: StudyData) -> None:
    assert {tuple(task.class_weights.tolist()) for task in tone_data.tasks.values()} == {(1.0, 1.0)}, "accuracy"
    balanced = tone_data.weighing_classes(ClassWeights.BALANCED)
    frames = balanced.tasks["tone"]
    pack = balanced.packs["tones"]
    train = frames.clips[Split.TRAIN]
    rows = label_values(balanced, "tone")
    labels = np.concatenate([rows[pack.starts[clip] :][: pack.lengths[clip]] for clip in train])
    shares = np.bincount(labels) / len(labels)
    assert frames.class_weights == pytest.approx(1 / (2 * shares), rel=1e-5)
    assert shares[0] != shares[1]
    assert balanced.weighing_classes(ClassWeights.NONE).tasks["tone"].class_weights.tolist() == [1, 1]
