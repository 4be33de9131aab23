"""Gates between blocks and heads: what they count, who shares them, and their form in documents."""

import json
import pickle
from dataclasses import replace
from pathlib import Path

import pytest

from taskgraft.errors import InvalidInput
from taskgraft.space.cost import independent_parameters, tree_cost
from taskgraft.space.document import read_tree_document, tree_document
from taskgraft.space.gates import EMBEDDING, NO_GATE, Gate, Over, TaskGate, read_gate
from taskgraft.space.synthesis import Synthesis, synthesize
from taskgraft.space.tasks import Task, TaskKind
from taskgraft.space.template import Template
from taskgraft.space.templates.registry import TEMPLATES
from taskgraft.space.tree import BranchTree, Node
from tests.space import paper

CNN8 = TEMPLATES["cnn8"]
GATES: list[Gate] = [NO_GATE, TaskGate(Over.STEP), TaskGate(Over.CHANNELS)]
GATED = replace(CNN8, gate=TaskGate())
TASKS = [Task("a"), Task("b", classes=3), Task("c", TaskKind.FRAMES)]


def test_gates_count_by_hand() -> None:
    shape = 5, 2, 7
    step, channels = TaskGate(Over.STEP), TaskGate(Over.CHANNELS)
    assert step.shared_parameters(shape) == 10 * 10 + 16 * 10
    assert channels.shared_parameters(shape) == 5 * 5 + 16 * 5
    assert step.task_parameters() == channels.task_parameters() == EMBEDDING == 16
    assert step.macs(shape) == 7 * 10 * 10 + 16 * 10
    assert channels.macs(shape) == 7 * 2 * 5 * 5 + 16 * 5
    assert step.macs((6, 1, 1)) == channels.macs((6, 1, 1)), "without a time axis there is one step"


@pytest.mark.parametrize("over", Over)
@pytest.mark.parametrize("shared", range(9))
def test_tasks_that_share_the_first_block_share_the_matrices(over: Over, shared: int) -> None:
    template = replace(CNN8, gate=TaskGate(over))
    tree = BranchTree.flat("abc", shared, 8)
    plain, gated = tree_cost(tree, CNN8, TASKS), tree_cost(tree, template, TASKS)
    width = 84 if over is Over.STEP else 21
    matrices = (width * width + 16 * width) * (1 if shared else 3)
    assert gated.encoder_parameters - plain.encoder_parameters == matrices
    assert (gated.parameters or 0) - (plain.parameters or 0) == matrices + 3 * 16
    steps = 25 if over is Over.STEP else 25 * 4
    assert (gated.macs_per_second or 0) - (plain.macs_per_second or 0) == 3 * (steps * width * width + 16 * width)


def test_independent_models_have_a_gate_each() -> None:
    unshared = tree_cost(BranchTree.flat("abc", 0, 8), GATED, TASKS)
    assert unshared.parameters == independent_parameters(GATED, TASKS)
    assert independent_parameters(GATED, TASKS) - independent_parameters(CNN8, TASKS) == 3 * (84 * 100 + 16)


def test_parts_of_a_tree_cost_together_what_the_tree_costs() -> None:
    pair = Node(("a", "c"), (0, 5), (Node(("a",), (5, 8)), Node(("c",), (5, 8))))
    whole = BranchTree(Node(("a", "b", "c"), (0, 0), (pair, Node(("b",), (0, 8)))), 8)
    parts = [tree_cost(BranchTree(child, 8), GATED, TASKS) for child in whole.root.children]
    cost = tree_cost(whole, GATED, TASKS)
    assert cost.parameters == sum(part.parameters or 0 for part in parts)
    assert cost.macs_per_second == sum(part.macs_per_second or 0 for part in parts)


def test_a_gate_is_priced_with_the_first_block() -> None:
    assert sum(CNN8.block_parameters) == CNN8.encoder_parameters
    assert GATED.block_parameters[0] - CNN8.block_parameters[0] == 84 * 100
    assert GATED.block_parameters[1:] == CNN8.block_parameters[1:]
    assert sum(GATED.block_parameters) == GATED.encoder_parameters


@pytest.mark.parametrize("threshold", [0.0, 0.01, 0.02, 0.05])
def test_exact_trees_are_the_smallest_with_their_gates(threshold: float) -> None:
    found = {
        method: tree_cost(synthesize(paper.matrix(), threshold, GATED, method=method), GATED) for method in Synthesis
    }
    others = [synthesize(paper.matrix(), threshold, CNN8, method=method) for method in Synthesis]
    sizes = [cost.encoder_parameters for cost in found.values()]
    sizes += [tree_cost(tree, GATED).encoder_parameters for tree in others]
    assert found[Synthesis.EXACT].encoder_parameters == min(sizes)


@pytest.mark.parametrize("gate", GATES, ids=repr)
def test_a_gate_is_read_from_what_is_written(gate: Gate) -> None:
    template = replace(CNN8, gate=gate)
    tree = BranchTree.flat("abc", 4, 8)
    document = json.loads(json.dumps(tree_document(tree, template, 0.02, TASKS)))
    assert read_tree_document(document).template == template
    assert tree_cost(tree, read_tree_document(document).template, TASKS).parameters == document["parameters"]
    assert ("gate" in document) is (gate != NO_GATE)
    assert pickle.loads(pickle.dumps(template)) == template
    assert (template == CNN8) is (gate == NO_GATE)


@pytest.mark.parametrize("plain", ["step", {}, {"over": "bands"}, {"over": None}, {"over": "step", "rank": 3}, []])
def test_another_gate_is_refused(plain: object) -> None:
    with pytest.raises(InvalidInput, match=r"gate: an object whose over is one of step, channels"):
        read_gate(plain)
    with pytest.raises(InvalidInput, match="gate"):
        read_tree_document({**tree_document(BranchTree.flat("abc", 4, 8), CNN8, 0.02), "gate": plain})


@pytest.mark.parametrize("template", TEMPLATES.values(), ids=lambda template: template.name)
def test_a_gate_that_is_larger_than_the_blocks_is_told(template: Template) -> None:
    found = {over: replace(template, gate=TaskGate(over)).remarks for over in Over}
    assert not found[Over.CHANNELS]
    assert bool(found[Over.STEP]) is (template.name in ("cp-mobile", "cp-mobile-rnn"))
    if template.name == "cp-mobile":
        assert found[Over.STEP] == (
            "task attention over the 3,328 features of a step has 11,128,832 parameters, and the blocks before it have "
            "60,088; over channels it has 12,480",
        )


@pytest.mark.parametrize("template", TEMPLATES.values(), ids=lambda template: template.name)
def test_the_page_has_the_sizes_of_all_gates(template: Template) -> None:
    page = (Path(__file__).parents[2] / "docs/algorithms.md").read_text("utf-8")
    sizes = [template.encoder_parameters, *(TaskGate(over).shared_parameters(template.encoded) for over in Over)]
    assert f"| `{template.name}` | {' | '.join(f'{size:,}' for size in sizes)} |" in page
