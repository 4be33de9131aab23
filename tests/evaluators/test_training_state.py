"""A training that goes on from a saved state ends as the undisturbed one, bit for bit; any other state is refused."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from taskgraft.errors import InvalidInput
from taskgraft.evaluators import training
from taskgraft.evaluators.measurement import Measurement
from taskgraft.evaluators.optimisation.optimisation import Optimisation
from taskgraft.evaluators.stopping import Stopping
from taskgraft.evaluators.study_data import StudyData
from taskgraft.evaluators.training import Schedule, Trainer
from taskgraft.evaluators.training_state import MAX_STATE_BYTES, PackedState
from taskgraft.space.tree import BranchTree
from tests.evaluators.tones import load_tones, write_tones

SCHEDULE = Schedule(5, 7, Optimisation(3e-3))
REFERENCES = {"pitch": 0.9, "shape": 0.8, "tone": 0.7}
ALL = BranchTree.flat(["pitch", "shape", "tone"], 6, 8)
STAMP = "5" * 64


@dataclass(frozen=True, repr=False)
class Case:
    """A training, and the state after each of its evaluations but the last."""

    data: StudyData
    tree: BranchTree
    more: Mapping[str, Any]
    whole: Measurement
    states: tuple[PackedState, ...]

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        """Keep Hypothesis from printing megabytes of states."""
        printer.text(f"Case({self.tree})")

    def trainer(self, **more: Any) -> Trainer:
        return Trainer(self.tree, self.data, SCHEDULE, 3, **{**self.more, **more})


def record(data: StudyData, tree: BranchTree, **more: Any) -> Case:
    states: list[PackedState] = []
    trainer = Trainer(tree, data, SCHEDULE, 3, **more)
    while True:
        trainer.advance()
        if trainer.finished:
            return Case(data, tree, more, trainer.measurement("here"), tuple(states))
        states.append(trainer.pack_state(STAMP))


def finish(trainer: Trainer) -> Measurement:
    while not trainer.finished:
        trainer.advance()
    return trainer.measurement("here")


@pytest.fixture(scope="module")
def cases(tone_data: StudyData, tmp_path_factory: pytest.TempPathFactory) -> tuple[Case, ...]:
    """One corpus; two corpora with missing labels and affinities; one task that chooses by its mean metric; scores."""
    root = tmp_path_factory.mktemp("two")
    manifests = {"one": write_tones(root / "one"), "two": write_tones(root / "two", seed=1, unlabelled="shape")}
    tasks = [("pitch", "one", "pitch"), ("shape", "two", "shape"), ("tone", "two", "tone")]
    two = load_tones(manifests, tasks, root / "cache")
    return (
        record(tone_data, ALL, references=REFERENCES),
        record(two, ALL, references=REFERENCES, with_affinities=True),
        record(tone_data, BranchTree.flat(["pitch"], 8, 8)),
        record(scored(tone_data), ALL, references=REFERENCES),
    )


def scored(data: StudyData) -> StudyData:
    """The same study, whose event is judged by its scores, too."""
    return replace(data, tasks={**data.tasks, "tone": replace(data.tasks["tone"], metric="roc_auc")})


def assert_equal(found: Measurement, expected: Measurement) -> None:
    for part in ("metrics", "steps", "steps_left", "best_step", "curve", "weights", "affinities", "cosines"):
        assert getattr(found, part) == getattr(expected, part), part
    assert [one.to_json() for one in found.earlier] == [one.to_json() for one in expected.earlier]
    assert {task: said.to_text() for task, said in found.outcomes.items()} == {
        task: said.to_text() for task, said in expected.outcomes.items()
    }
    assert list(found.to_json()) == list(expected.to_json())
    assert found.to_json()["curve"] == expected.to_json()["curve"]


def test_the_cases_are_worth_testing(cases: tuple[Case, ...]) -> None:
    assert all(len(case.states) == SCHEDULE.epochs - 1 for case in cases)
    best = [state.facts().best[-1].step == state.facts().step for case in cases for state in case.states]
    assert {True, False} == set(best)
    assert any(case.whole.earlier for case in cases)


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(case=st.integers(0, 3), stop=st.integers(0, SCHEDULE.epochs - 2))
def test_a_training_that_goes_on_equals_the_undisturbed_one(cases: tuple[Case, ...], case: int, stop: int) -> None:
    chosen = cases[case]
    state = chosen.states[stop]
    trainer = chosen.trainer()
    trainer.go_on_from(PackedState(bytes(state.content)), STAMP)
    assert trainer.fraction == (stop + 1) / SCHEDULE.epochs
    measured = finish(trainer)
    assert_equal(measured, chosen.whole)
    facts = state.facts()
    assert (measured.steps_before, measured.seconds_before) == (facts.step, facts.seconds)
    assert measured.own_steps == chosen.whole.steps - facts.step
    assert measured.seconds > measured.own_seconds > 0


def test_a_training_may_be_stopped_after_every_evaluation(cases: tuple[Case, ...]) -> None:
    for case in cases:
        trainer = case.trainer()
        trainer.advance()
        for state in case.states:
            packed = trainer.pack_state(STAMP)
            assert packed.facts().curve == state.facts().curve
            trainer = case.trainer()
            trainer.go_on_from(packed, STAMP)
            trainer.advance()
        assert trainer.finished
        assert_equal(trainer.measurement("here"), case.whole)


def test_affinities_are_left_out_if_they_are_not_asked_for(cases: tuple[Case, ...]) -> None:
    case = cases[1]
    trainer = case.trainer(with_affinities=False)
    trainer.go_on_from(case.states[1], STAMP)
    measured = finish(trainer)
    assert not measured.affinities
    assert not measured.cosines
    assert_equal(replace(measured, affinities=case.whole.affinities, cosines=case.whole.cosines), case.whole)


def test_only_what_was_accepted_before_its_last_step_has_a_state_to_keep(cases: tuple[Case, ...]) -> None:
    case = cases[0]
    rules = {accepts: Stopping(0.99, accepts, dict.fromkeys(ALL.tasks, case.whole.curve)) for accepts in (True, False)}
    trainers = {accepts: case.trainer(stopping=rule) for accepts, rule in rules.items()}
    assert {accepts: finish(trainer).is_censored for accepts, trainer in trainers.items()} == {True: True, False: False}
    assert {accepts: trainer.was_accepted for accepts, trainer in trainers.items()} == {True: True, False: False}
    going_on = case.trainer(stopping=rules[False])
    going_on.go_on_from(trainers[True].pack_state(STAMP), STAMP)
    assert_equal(finish(going_on), case.whole)


def forge(state: PackedState, **facts: Any) -> PackedState:
    """A sound state but for some of its facts."""
    header = state._header()
    header.pop("__metadata__")
    shapes = {name: (entry["dtype"], tuple(entry["shape"])) for name, entry in header.items()}
    return PackedState.of(state.facts().model_copy(update=facts), state.tensors(shapes))


def refuse(case: Case, content: bytes, match: str, stamp: str = STAMP, **more: Any) -> None:
    trainer = case.trainer(**more)
    with pytest.raises(InvalidInput, match=match):
        trainer.go_on_from(PackedState(content), stamp)
    if not more:
        assert_equal(finish(trainer), case.whole)
        assert trainer.measurement("here").steps_before == 0


def test_a_foreign_state_is_refused_and_nothing_is_half_restored(
    cases: tuple[Case, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    first, two, alone, _ = cases
    content = first.states[1].content
    refuse(first, content, "another training", stamp="6" * 64)
    refuse(alone, content, "curve is one of other tasks")
    refuse(first, content, "taken further", stopping=Stopping(0.99, True, dict.fromkeys(ALL.tasks, first.whole.curve)))
    refuse(first, content, "no affinities", with_affinities=True)
    refuse(replace(first, tree=BranchTree.flat(ALL.tasks, 4, 8)), content, "tensors are not those", references=None)
    refuse(first, two.states[1].content, "tensors are not those")
    other = Schedule(4, 7, Optimisation(1e-3))
    with pytest.raises(InvalidInput, match="none after which this training is evaluated"):
        Trainer(ALL, first.data, other, 3, REFERENCES).go_on_from(first.states[3], STAMP)
    monkeypatch.setattr(training, "TRAINING_VERSION", training.TRAINING_VERSION + 1)
    version = training.TRAINING_VERSION
    refuse(first, content, f"version {version - 1} of the training code; this is version {version}")


@pytest.mark.parametrize("content", [b"", b"\0" * 8, b"\xff" * 64, b"[" * 100_000, b"\x02" + b"\0" * 7 + b"{}"])
def test_what_is_no_state_at_all_is_refused(cases: tuple[Case, ...], content: bytes) -> None:
    with pytest.raises(InvalidInput, match="damaged"):
        cases[2].trainer().go_on_from(PackedState(content), STAMP)


def test_a_state_that_is_too_large_is_not_read(cases: tuple[Case, ...]) -> None:
    with pytest.raises(InvalidInput, match="at most 268,435,456 bytes"):
        cases[2].trainer().go_on_from(PackedState(bytes(MAX_STATE_BYTES + 1)), STAMP)


def damage(content: bytes, place: int, bits: int) -> bytes:
    """Flip some bits of one byte; if there are none to flip, cut the content off there."""
    place %= len(content)
    return content[:place] + bytes([content[place] ^ bits]) + content[place + 1 :] if bits else content[:place]


@settings(max_examples=1000, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(place=st.integers(0, 9_000) | st.integers(0, 2**24), bits=st.integers(0, 255))
def test_damage_anywhere_is_noticed(cases: tuple[Case, ...], trainer: Trainer, place: int, bits: int) -> None:
    sound = cases[2].states[1]
    content = damage(sound.content, place, bits)
    try:
        trainer.go_on_from(PackedState(content), STAMP)
    except InvalidInput:
        return
    assert trainer.pack_state(STAMP).content == sound.content, "only the layout of the header may differ"


@pytest.fixture
def trainer(cases: tuple[Case, ...]) -> Trainer:
    return cases[2].trainer()


def test_batches_that_are_not_of_this_corpus_are_refused(cases: tuple[Case, ...], tmp_path: Path) -> None:
    """A checksum does not help against who writes a state on purpose: it must not read outside the clips."""
    case = cases[2]
    shuffling = case.states[1].facts().shuffling
    trainer = case.trainer()
    trainer.advance()
    trainer._batches._left = {"tones": np.array([10_000], np.int32)}
    with pytest.raises(InvalidInput, match="tones has no such training clips"):
        case.trainer().go_on_from(trainer.pack_state(STAMP), STAMP)
    for wrong in ({}, {**shuffling, "bit_generator": "MT19937"}, {**shuffling, "state": {"state": -1}}):
        with pytest.raises(InvalidInput, match="no such position of the batches"):
            case.trainer().go_on_from(forge(case.states[1], shuffling=wrong), STAMP)


@pytest.mark.parametrize(
    ("facts", "why"),
    [
        ({"scaling": {"scale": 2.0}}, "scaled in another way"),
        ({"curve": ({"pitch": 1.0},)}, "none after which this training is evaluated"),
        ({"best": ()}, "facts can't be read"),
        ({"seconds": -1.0}, "facts can't be read"),
        ({"score": float("nan")}, "facts can't be read"),
        ({"step": 0}, "facts can't be read"),
    ],
)
def test_facts_that_contradict_the_training_are_refused(
    cases: tuple[Case, ...], facts: Mapping[str, Any], why: str
) -> None:
    with pytest.raises(InvalidInput, match=why):
        cases[2].trainer().go_on_from(forge(cases[2].states[1], **facts), STAMP)


def test_scores_are_kept_in_tables_of_their_own(cases: tuple[Case, ...]) -> None:
    said = cases[3].whole.outcomes
    assert {task: list(found.tables) for task, found in said.items()} == {
        "pitch": ["classes"],
        "shape": ["classes"],
        "tone": ["classes", "scores"],
    }
    facts = cases[3].states[0].facts()
    assert [best.tables for best in facts.best] == [{"tone": ("classes", "scores")}] * len(facts.best)
