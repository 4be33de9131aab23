"""Heads by name: what they count, what they answer, and what is refused."""

from pathlib import Path

import pytest

from taskgraft.errors import InvalidInput
from taskgraft.space.cost import independent_parameters, tree_cost
from taskgraft.space.heads import AttentionHead, BiGruHead, GruHead, Head, LstmHead, MlpHead, StepHead
from taskgraft.space.named_heads import NAMED_HEADS
from taskgraft.space.tasks import Task, TaskKind
from taskgraft.space.templates.registry import TEMPLATES, get_template
from taskgraft.space.tree import BranchTree

CNN8 = get_template("cnn8")


def test_a_memory_counts_by_hand() -> None:
    """Four gates of 4 x 10 input and 4 x 4 recurrent weights, two biases each; 4 -> 3 with bias."""
    shape = 5, 2, 7
    assert LstmHead(4).parameters(shape, 3) == 4 * (40 + 16 + 8) + 15
    assert LstmHead(4).macs(shape, 3) == 7 * (4 * (40 + 16) + 12)
    assert LstmHead(4, pooled=True).parameters(shape, 3) == LstmHead(4).parameters(shape, 3)


@pytest.mark.parametrize(
    ("name", "kind", "head"),
    [
        ("attention", TaskKind.CLIP, AttentionHead(32)),
        ("mlp", TaskKind.CLIP, MlpHead(64)),
        ("gru", TaskKind.FRAMES, GruHead(28)),
        ("bigru", TaskKind.FRAMES, BiGruHead(128)),
        ("bigru", TaskKind.CLIP, BiGruHead(128, pooled=True)),
        ("lstm", TaskKind.FRAMES, LstmHead(28)),
        ("lstm", TaskKind.CLIP, LstmHead(28, pooled=True)),
        ("steps", TaskKind.FRAMES, StepHead()),
    ],
)
def test_a_task_has_the_head_that_it_names(name: str, kind: TaskKind, head: object) -> None:
    assert CNN8.head(Task("a", kind, head=name)) == head


def test_the_names_of_the_default_heads_are_the_default_heads() -> None:
    assert CNN8.head(Task("a", head="attention")) == CNN8.head(Task("a"))
    assert CNN8.head(Task("a", TaskKind.FRAMES, head="gru")) == CNN8.head(Task("a", TaskKind.FRAMES))


def test_a_template_without_a_head_for_steps_can_be_given_one() -> None:
    assert TaskKind.FRAMES not in TEMPLATES["cp-mobile"].kinds
    assert TEMPLATES["cp-mobile"].head(Task("a", TaskKind.FRAMES, head="steps")) == StepHead()


@pytest.mark.parametrize(
    ("template", "task", "words"),
    [
        ("cnn8", Task("a", TaskKind.FRAMES, head="mlp"), "mlp answers for whole clips; for frames tasks there is gru,"),
        (
            "cnn8",
            Task("a", head="steps"),
            "steps answers for every time step; for clip tasks there is attention, pool,",
        ),
        ("cnn8", Task("a", head="nose"), "no head 'nose'; for clip tasks there is attention"),
        ("alexnet", Task("a", TaskKind.FRAMES, head="gru"), "gru of a goes over time steps, and alexnet has none"),
        ("alexnet", Task("a", head="bigru"), "bigru of a goes over time steps, and alexnet has none"),
    ],
)
def test_a_head_that_does_not_fit_is_refused(template: str, task: Task, words: str) -> None:
    with pytest.raises(InvalidInput, match=words):
        TEMPLATES[template].head(task)


def test_pictures_have_no_time_steps() -> None:
    """Their columns are not the frames that labels are given for."""
    pictures = get_template("cnn8", front_end="emotion-image")
    for task in (Task("a", TaskKind.FRAMES), Task("a", TaskKind.FRAMES, head="gru")):
        with pytest.raises(InvalidInput, match="a picture has no time steps"):
            pictures.head(task)
    assert pictures.head(Task("a", head="mlp")) == MlpHead(64)


def test_sizes_have_the_named_heads() -> None:
    tasks = [Task("a", classes=5, head="mlp"), Task("b", TaskKind.FRAMES, head="lstm")]
    shape = CNN8.shapes(100)[-1]
    heads: list[tuple[Head, int]] = [(MlpHead(64), 5), (LstmHead(28), 1)]
    cost = tree_cost(BranchTree.flat(["a", "b"], 8, 8), CNN8, tasks)
    assert cost.parameters == CNN8.encoder_parameters + sum(head.parameters(shape, outputs) for head, outputs in heads)
    assert cost.macs_per_second == CNN8.macs_per_second + sum(head.macs(shape, outputs) for head, outputs in heads)
    assert independent_parameters(CNN8, tasks) == (cost.parameters or 0) + CNN8.encoder_parameters


def test_the_documented_sizes_are_those_of_the_heads() -> None:
    shape, page = CNN8.shapes(100)[-1], (Path(__file__).parents[2] / "docs" / "templates.md").read_text("utf-8")
    for name, named in NAMED_HEADS.items():
        sizes = [
            f"{head.parameters(shape, outputs):,}" for head, outputs in ((named.clip, 10), (named.steps, 1)) if head
        ]
        row = next(line for line in page.splitlines() if line.startswith(f"| `{name}` |"))
        assert row.endswith(f"| {', '.join(sizes)} |")
