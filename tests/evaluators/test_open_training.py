"""A training that began before its references were known measures the same, bit for bit, as one that had them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from safetensors.numpy import load

from taskgraft.evaluators.measurement import Measurement
from taskgraft.evaluators.metrics import accuracy_reduction, worst_reduction
from taskgraft.evaluators.open_training import Look, OpenTraining, Undominated
from taskgraft.evaluators.optimisation.optimisation import Optimisation
from taskgraft.evaluators.stopping import Stopping
from taskgraft.evaluators.study_data import StudyData
from taskgraft.evaluators.training import Schedule, Trainer
from taskgraft.evaluators.training_state import PackedState
from taskgraft.evaluators.trunk import Trunk
from taskgraft.space.tree import BranchTree
from tests.evaluators.tones import load_tones, write_tones
from tests.search.worlds import outcomes

PAIR = BranchTree.flat(["pitch", "shape"], 4, 8)
SCHEDULE = Schedule(epochs=15, batch_size=8, optimisation=Optimisation(7e-4))
STAMP = "5" * 64
SEVERAL: list[dict[str, float]] = [
    {"pitch": 0.9, "shape": 0.9},
    {"pitch": 0.05, "shape": 0.95},
    {"pitch": 0.95, "shape": 0.05},
    {"pitch": 0.0, "shape": 0.0},
]
"""What chooses other checkpoints; with references of 0, all of them are equally good."""


@dataclass(frozen=True)
class Kind:
    """Data, and what a trainer is told beside."""

    data: StudyData
    with_affinities: bool = False
    start: Trunk | None = None

    def trainer(
        self, references: Mapping[str, float] | None, stopping: Stopping | None = None, is_open: bool = False
    ) -> Trainer:
        return Trainer(
            PAIR,
            self.data,
            SCHEDULE,
            0,
            references,
            stopping,
            with_affinities=self.with_affinities,
            start=self.start,
            is_open=is_open,
        )


@dataclass(frozen=True, repr=False)
class Case:
    kind: Kind
    looks: tuple[Look, ...]

    def opened(self, seen: int | None = None) -> OpenTraining:
        """The training, as far as it has come after so many evaluations."""
        training = OpenTraining()
        for look in self.looks[:seen]:
            training.add(look)
        return training


@pytest.fixture(scope="module")
def cases(tone_data: StudyData, tmp_path_factory: pytest.TempPathFactory) -> tuple[Case, ...]:
    """One corpus; two corpora with affinities; from a trunk."""
    root = tmp_path_factory.mktemp("two")
    manifests = {"one": write_tones(root / "one"), "two": write_tones(root / "two", seed=1)}
    two = load_tones(manifests, [("pitch", "one", "pitch"), ("shape", "two", "shape")], root / "cache")
    first = Trainer(BranchTree.flat(PAIR.tasks, 8, 8), tone_data, SCHEDULE, 0)
    first.advance()
    trunk = Trunk(PAIR.tasks, first.measurement("here").weights or b"")
    kinds = (Kind(tone_data), Kind(two, with_affinities=True), Kind(tone_data, start=trunk))
    return tuple(Case(kind, tuple(look_on(kind.trainer(None, is_open=True)))) for kind in kinds)


def look_on(trainer: Trainer) -> Sequence[Look]:
    looks = []
    while not trainer.finished:
        trainer.advance()
        look = trainer.look("here", with_state=True)
        assert look
        looks.append(look)
    return looks


def finish(trainer: Trainer) -> Measurement:
    while not trainer.finished:
        trainer.advance()
    return trainer.measurement("here")


def rules(case: Case, references: Mapping[str, float]) -> list[Stopping | None]:
    """Rules that end a training where it keeps the threshold, where it is hopeless, and nowhere."""
    curve = [{"step": look.step, **look.metrics} for look in case.looks]
    flat = [{**point, **references} for point in curve]
    lost = [accuracy_reduction(references, look.metrics) for look in case.looks]
    return [
        None,
        Stopping(min(0.98, lost[0]), True, dict.fromkeys(references, curve)),
        Stopping(min(0.98, sorted(lost)[2]), True, dict.fromkeys(references, curve)),
        Stopping(0.0, True, dict.fromkeys(references, flat)),
        Stopping(0.0, False, dict.fromkeys(references, flat)),
    ]


def assert_equal(found: Measurement | None, expected: Measurement) -> None:
    """Everything is equal but the seconds that it took."""
    assert found is not None
    timeless = [replace(one, seconds=0.0).to_full_json() for one in (found, expected)]
    assert timeless[0] == timeless[1]
    assert list(found.to_json()) == list(expected.to_json())
    assert found.weights == expected.weights
    assert found.seconds > 0


def assert_equal_states(found: bytes | None, expected: PackedState) -> None:
    assert found is not None
    state = PackedState(found)
    assert state.facts().model_dump() | {"seconds": 0.0} == expected.facts().model_dump() | {"seconds": 0.0}
    tensors, others = load(found), load(expected.content)
    assert tensors.keys() == others.keys()
    for name, tensor in others.items():
        assert tensors[name].dtype == tensor.dtype
        np.testing.assert_array_equal(tensors[name], tensor)


@pytest.mark.parametrize("case", range(3))
def test_it_measures_what_the_training_with_references_measures(cases: tuple[Case, ...], case: int) -> None:
    chosen, best, ends = cases[case], set(), set()
    for references in SEVERAL[: 4 if case == 0 else 2]:
        for stopping in rules(chosen, references)[: 5 if case == 0 else 3]:
            trainer = chosen.kind.trainer(references, stopping)
            expected = finish(trainer)
            found = chosen.opened().resolve(references, stopping, STAMP)
            assert_equal(found, expected)
            best.add(expected.best_step)
            ends.add(expected.steps)
            seen = next(place for place, look in enumerate(chosen.looks, 1) if look.step == expected.steps)
            earlier = [chosen.opened(one).resolve(references, stopping) for one in range(seen)]
            assert earlier == [None] * seen
            at_once = chosen.opened(seen).resolve(references, stopping, STAMP)
            assert_equal(at_once, expected)
            assert at_once
            if trainer.was_accepted:
                assert_equal_states(at_once.state, trainer.pack_state(STAMP))
            else:
                assert at_once.state is None
    assert len(best) > 1, "other references must choose another checkpoint"
    assert len(ends) > 2, "rules must end the training at different steps"


@pytest.mark.parametrize("case", range(3))
def test_the_whole_training_goes_on_from_the_state_of_what_went_too_far(cases: tuple[Case, ...], case: int) -> None:
    chosen, references = cases[case], SEVERAL[0]
    stopping = rules(chosen, references)[1]
    assert stopping
    whole = replace(stopping, accepts=False)
    expected = finish(chosen.kind.trainer(references, whole))
    for seen in (3, 8, len(chosen.looks)):
        found = chosen.opened(seen).resolve(references, stopping, STAMP)
        assert found
        assert found.state
        state = PackedState(found.state)
        assert state.facts().step == chosen.looks[min(seen, len(chosen.looks) - 1) - 1].step > found.steps
        trainer = chosen.kind.trainer(references, whole)
        trainer.go_on_from(state, STAMP)
        assert_equal(finish(trainer).by_itself(), expected)


def test_a_state_is_sent_only_if_it_is_wanted_and_steps_are_left(cases: tuple[Case, ...]) -> None:
    assert [look.state is None for look in cases[0].looks] == [False] * (len(cases[0].looks) - 1) + [True]
    trainer = cases[0].kind.trainer(None, is_open=True)
    trainer.advance()
    look = trainer.look()
    assert look
    assert look.state is None
    closed = cases[0].kind.trainer(SEVERAL[0])
    closed.advance()
    assert closed.look() is None


def test_a_training_that_begins_anew_is_forgotten_from_there(cases: tuple[Case, ...]) -> None:
    """Its worker died."""
    training = cases[0].opened(6)
    for look in cases[0].looks[:3]:
        training.add(look)
    stopping = rules(cases[0], SEVERAL[0])[1]
    expected = cases[0].opened(3).resolve(SEVERAL[0], stopping, STAMP)
    found = training.resolve(SEVERAL[0], stopping, STAMP)
    assert expected
    assert found
    assert_equal(found, expected)
    assert expected.state
    assert_equal_states(found.state, PackedState(expected.state))
    assert not training.has_ended


_VALUES = st.sampled_from([0.0, 0.25, 0.5, 0.5000001, 0.75, 1.0])
_CURVES = st.lists(st.tuples(_VALUES, _VALUES, _VALUES), min_size=1, max_size=15)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(_CURVES, st.tuples(_VALUES, _VALUES, _VALUES))
@example([(0.5, 0.5, 0.5), (0.5, 0.5, 0.5), (0.5, 0.5, 0.75)], (0.0, 0.0, 0.0))
@example([(0.5, 0.25, 0.5), (0.25, 0.5, 0.5), (0.5, 0.5, 0.5)], (0.5, 0.5, 0.0))
def test_what_is_dominated_is_never_chosen_and_the_first_of_equals_is(
    curve: list[tuple[float, float, float]], baselines: tuple[float, float, float]
) -> None:
    references = dict(zip("abc", baselines, strict=True))
    undominated, training = Undominated(), OpenTraining()
    for place, values in enumerate(curve, 1):
        metrics = dict(zip("abc", values, strict=True))
        weights = bytes([place]) if undominated.admit(metrics) else None
        said = {task: outcomes(value, 4) for task, value in metrics.items()}
        training.add(Look(place, len(curve), metrics, said, float(place), weights))
    losses = [worst_reduction(references, dict(zip("abc", values, strict=True))) for values in curve]
    records = [place for place, loss in enumerate(losses) if loss < min(losses[:place], default=np.inf)]
    found = training.resolve(references, None)
    assert found
    assert found.best_step == losses.index(min(losses)) + 1
    assert found.weights == bytes([found.best_step])
    assert [one.step for one in found.earlier] == [place + 1 for place in records[:-1]]
