"""What holds for every algorithm: it is repeatable, goes on from a saved state, and of one task it is plain."""

import pytest
import torch

from taskgraft.evaluators.algorithms.adversarial import Adversarial
from taskgraft.evaluators.algorithms.algorithm import Algorithm
from taskgraft.evaluators.algorithms.cross import CrossHard, CrossSoft
from taskgraft.evaluators.algorithms.distil import Distil
from taskgraft.evaluators.algorithms.freeze import Freeze
from taskgraft.evaluators.algorithms.hard import Hard
from taskgraft.evaluators.algorithms.mean_teacher import MeanTeacher
from taskgraft.evaluators.algorithms.registry import ALGORITHMS, SOFT
from taskgraft.evaluators.algorithms.serial import Serial
from taskgraft.evaluators.algorithms.soft_sharing import SoftSharing
from taskgraft.evaluators.algorithms.task_attention import TaskAttention
from taskgraft.evaluators.optimisation.optimisation import Optimisation
from taskgraft.evaluators.optimisation.optimisers import OptimiserName
from taskgraft.evaluators.schedule import Schedule
from taskgraft.evaluators.study_data import StudyData
from taskgraft.evaluators.training import Trainer
from taskgraft.space.tree import BranchTree
from tests.evaluators.algorithms.runs import ALL, ALONE, NAMES, digest, finish, gated, teachers_of, trainer_of

STAMP = "5" * 64
ORDER = ("tone", "pitch", "shape")
ALGORITHMS_HERE: dict[str, Algorithm] = {
    "soft": SOFT,
    "hard": Hard(),
    "cross-soft": CrossSoft(),
    "cross-hard": CrossHard(),
    "freeze": Freeze(ORDER),
    "serial": Serial(ORDER),
    "mean-teacher": MeanTeacher(),
    "soft-sharing": SoftSharing(strength=0.1),
    "adversarial": Adversarial("pitch"),
    "distil": Distil(others=True),
    "task-attention": TaskAttention(),
}
OTHER_MODELS = ("adversarial", "task-attention")
"""These learn more weights than `soft` does, of one task, too."""
REFERENCES = dict.fromkeys(NAMES, 0.9)


PAIR = BranchTree.flat(["shape", "tone"], 6, 8)


@pytest.fixture
def case(name: str, corpora: StudyData, chimes: StudyData, nuisance_data: StudyData) -> tuple[StudyData, BranchTree]:
    """Data and a tree that an algorithm is for."""
    special = {
        "mean-teacher": (chimes, BranchTree.flat(list(chimes.tasks), 6, 8)),
        "adversarial": (nuisance_data, PAIR),
        "task-attention": (gated(corpora), ALL),
    }
    return special.get(name, (corpora, ALL))


def test_every_algorithm_is_tested_here() -> None:
    assert list(ALGORITHMS_HERE) == list(ALGORITHMS)
    assert all(name == algorithm.name for name, algorithm in ALGORITHMS_HERE.items())


@pytest.mark.parametrize("name", ALGORITHMS_HERE)
def test_a_training_is_repeated_and_goes_on_bit_for_bit(name: str, case: tuple[StudyData, BranchTree]) -> None:
    data, tree = case
    references = REFERENCES if tree is ALL else None
    whole, states = trainer_of(ALGORITHMS_HERE[name], data, tree, references), []
    while not whole.finished:
        whole.advance()
        states.append(whole.pack_state(STAMP))
    expected = whole.measurement("here")
    last = whole._state_tensors()
    torch.rand(3)
    for state in states[:-1]:
        again = trainer_of(ALGORITHMS_HERE[name], data, tree, references)
        again.go_on_from(state, STAMP)
        assert digest(finish(again)) == digest(expected)
        assert again.measurement("here").curve == expected.curve
        found = again._state_tensors()
        assert found.keys() == last.keys()
        assert all((found[key] == last[key]).all() for key in last)
        assert again._state_facts()["fewer_steps"] == whole._state_facts()["fewer_steps"]
    anew = trainer_of(ALGORITHMS_HERE[name], data, tree, references)
    assert digest(finish(anew)) == digest(expected)


@pytest.mark.parametrize("optimiser", [OptimiserName.SGD, OptimiserName.ADAM])
@pytest.mark.parametrize("name", ["hard", "freeze"])
def test_weights_that_idle_go_on_with_every_optimiser(name: str, optimiser: OptimiserName, corpora: StudyData) -> None:
    def trainer() -> Trainer:
        schedule = Schedule(2, 16, Optimisation(1e-3, optimiser, weight_decay=0.1), algorithm=ALGORITHMS_HERE[name])
        return Trainer(ALL, corpora, schedule, 1)

    whole, cut, again = trainer(), trainer(), trainer()
    cut.advance()
    again.go_on_from(cut.pack_state(STAMP), STAMP)
    assert digest(finish(again)) == digest(finish(whole))


@pytest.mark.parametrize("name", [name for name in ALGORITHMS_HERE if name not in OTHER_MODELS])
def test_with_one_task_it_is_plain(name: str, corpora: StudyData) -> None:
    found, expected = (finish(trainer_of(one, corpora, ALONE)) for one in (ALGORITHMS_HERE[name], SOFT))
    assert digest(found) == digest(expected)
    assert found.curve == expected.curve


@pytest.mark.parametrize(
    "name", [name for name in ALGORITHMS_HERE if name not in ("soft", "mean-teacher", *OTHER_MODELS)]
)
def test_with_several_tasks_it_is_not(name: str, corpora: StudyData) -> None:
    assert digest(finish(trainer_of(ALGORITHMS_HERE[name], corpora))) != digest(finish(trainer_of(SOFT, corpora)))


@pytest.mark.parametrize("name", ALGORITHMS_HERE)
def test_affinities_change_nothing(name: str, case: tuple[StudyData, BranchTree]) -> None:
    data, tree = case
    schedule = Schedule(2, 16, algorithm=ALGORITHMS_HERE[name])
    teachers = teachers_of(schedule.algorithm, data, tree)
    plain, measured = (
        finish(Trainer(tree, data, schedule, 0, with_affinities=on, teachers=teachers)) for on in (False, True)
    )
    assert digest(plain) == digest(measured)
    assert set(measured.affinities.values())


def test_a_state_of_another_algorithm_is_no_state_of_this_one(corpora: StudyData) -> None:
    """Stamps tell trainings apart; if one is wrong, the tensors do."""
    states = trainer_of(CrossSoft(), corpora)
    states.advance()
    with pytest.raises(Exception, match="tensors are not those"):
        trainer_of(SOFT, corpora).go_on_from(states.pack_state(STAMP), STAMP)
