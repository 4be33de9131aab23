import pytest
import torch

from taskgraft.evaluators.grafting import graft_trunk
from taskgraft.evaluators.models.tree_model import TreeModel
from taskgraft.evaluators.study_data import StudyData
from taskgraft.evaluators.training import Trainer, pack_weights, unpack_weights
from taskgraft.evaluators.trunk import Trunk
from taskgraft.space.tree import BranchTree
from tests.evaluators.test_training import SHORT

TASKS = ("pitch", "shape", "tone")
WHOLE = BranchTree.flat(TASKS, 8, 8)
NESTED = BranchTree.from_json(
    {
        "tasks": list(TASKS),
        "blocks": [0, 3],
        "children": [
            {"tasks": ["pitch"], "blocks": [3, 8], "children": []},
            {
                "tasks": ["shape", "tone"],
                "blocks": [3, 6],
                "children": [
                    {"tasks": ["shape"], "blocks": [6, 8], "children": []},
                    {"tasks": ["tone"], "blocks": [6, 8], "children": []},
                ],
            },
        ],
    },
    8,
)


@pytest.fixture(scope="module")
def trunk(tone_data: StudyData) -> Trunk:
    trainer = Trainer(WHOLE, tone_data, SHORT, seed=7)
    trainer.advance()
    return Trunk(WHOLE.tasks, pack_weights(trainer.model))


def model_of(tree: BranchTree, data: StudyData) -> TreeModel:
    return TreeModel(tree, data.template, [data.tasks[name].task for name in tree.tasks]).eval()


@pytest.mark.parametrize(
    "tree",
    [
        BranchTree.flat(["tone"], 8, 8),
        BranchTree.flat(["tone", "pitch"], 0, 8),
        BranchTree.flat(["shape", "tone"], 5, 8),
        NESTED,
        WHOLE,
    ],
)
def test_a_model_that_starts_from_a_trunk_says_what_the_trunk_says(
    tree: BranchTree, tone_data: StudyData, trunk: Trunk
) -> None:
    whole, part = unpack_weights(model_of(WHOLE, tone_data), trunk.weights), model_of(tree, tone_data)
    graft_trunk(part, trunk)
    features = torch.randn(3, 1, *_shape(tone_data), generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        expected, found = whole(features), part(features)
    for task in tree.tasks:
        torch.testing.assert_close(found[task], expected[task], rtol=0, atol=1e-6)


def _shape(data: StudyData) -> tuple[int, int]:
    return data.template.front_end.rows, 40


def test_a_trainer_starts_from_the_trunk_and_takes_steps_of_its_own(tone_data: StudyData, trunk: Trunk) -> None:
    tree = BranchTree.flat(["pitch", "tone"], 6, 8)
    trainers = [Trainer(tree, tone_data, SHORT, seed=0, start=trunk) for _ in range(2)]
    grafted = model_of(tree, tone_data)
    graft_trunk(grafted, trunk)
    assert pack_weights(trainers[0].model) == pack_weights(grafted)
    for trainer in trainers:
        while not trainer.finished:
            trainer.advance()
    first, second = (trainer.measurement("here").weights for trainer in trainers)
    assert first == second
    scratch = Trainer(tree, tone_data, SHORT, seed=0)
    while not scratch.finished:
        scratch.advance()
    assert scratch.measurement("here").weights != first


def test_a_training_goes_on_from_its_state_whatever_it_started_from(tone_data: StudyData, trunk: Trunk) -> None:
    tree = BranchTree.flat(["pitch", "tone"], 6, 8)
    whole, cut, resumed = (Trainer(tree, tone_data, SHORT, seed=0, start=trunk) for _ in range(3))
    cut.advance()
    state = cut.pack_state("stamp")
    resumed.go_on_from(state, "stamp")
    for trainer in (whole, resumed):
        while not trainer.finished:
            trainer.advance()
    assert resumed.measurement("here").weights == whole.measurement("here").weights


def test_a_trunk_of_other_tasks_is_refused(tone_data: StudyData, trunk: Trunk) -> None:
    other = Trunk(("pitch", "shape"), trunk.weights)
    with pytest.raises(ValueError, match="not in"):
        graft_trunk(model_of(BranchTree.flat(["tone"], 8, 8), tone_data), other)


def test_the_digest_tells_weights_and_tasks_apart(trunk: Trunk) -> None:
    others = [trunk, Trunk(("pitch", "tone", "shape"), trunk.weights), Trunk(trunk.tasks, trunk.weights + b"x")]
    assert len({one.digest for one in others}) == 3
    assert trunk.digest == Trunk(tuple(trunk.tasks), bytes(trunk.weights)).digest
    assert "weights" not in repr(trunk)
