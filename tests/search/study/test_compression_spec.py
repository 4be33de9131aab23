"""How a study says what makes its tree smaller, and what is refused before anything is trained."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from taskgraft.errors import InvalidInput
from taskgraft.evaluators.datasets.check import check_manifest
from taskgraft.search.strategies.plan import plan_study
from taskgraft.search.study.compression_spec import (
    COMPRESSIONS,
    Compression,
    Int8,
    check_sizes,
    is_quantised,
    prunes,
)
from taskgraft.search.study.outline import StudyOutline, find_local_report, outline_study
from taskgraft.search.study.preparation import prepare
from taskgraft.search.study.pruning import Pruned
from taskgraft.search.study.spec import StudySpec
from taskgraft.space.cost import tree_cost
from taskgraft.space.imported import BlockSize, ImportedEncoder
from taskgraft.space.pruning import fixed_parameters, kernel_weights
from taskgraft.space.tasks import Task, TaskKind
from taskgraft.space.templates.registry import get_template
from taskgraft.space.tree import BranchTree
from tests.search.branches import branch_trees
from tests.search.corpora import beeps_spec
from tests.search.worlds import make_spec

CNN8 = get_template("cnn8")
TASKS = tuple(Task(name, TaskKind.CLIP, 5) for name in "abc")


def step(name: str, **options: float) -> Compression:
    return COMPRESSIONS[name].model_validate({"name": name, **options})


def steps(given: object, **more: Any) -> tuple[Compression, ...]:
    return make_spec(3, compression=given, **more).compression


def faults(given: object, **more: Any) -> dict[str, str]:
    with pytest.raises(InvalidInput) as refused:
        steps(given, **more)
    return {fault.where: fault.message for fault in refused.value.faults}


@pytest.mark.parametrize(
    ("said", "read"),
    [
        ("lth", (step("lth"),)),
        ("lt4rec", (step("lt4rec"),)),
        ("prune", (step("prune"),)),
        ("int8", (Int8(),)),
        ([], ()),
        (["prune"], (step("prune"),)),
        ({"name": "lth", "size": 0.25, "rewind": 0.01}, (step("lth", size=0.25, rewind=0.01),)),
        ({"name": "int8"}, (Int8(),)),
        (["lth", "int8"], (step("lth"), Int8())),
        ([{"name": "lt4rec", "size": 0.75}, {"name": "int8"}], (step("lt4rec", size=0.75), Int8())),
        ([{"name": "prune", "size": 0.5}, "int8"], (step("prune"), Int8())),
    ],
)
def test_steps_are_read_written_and_read_back(said: object, read: tuple[Compression, ...]) -> None:
    spec = make_spec(3, compression=said)
    assert spec.compression == read
    assert [*map(type, spec.compression)] == [*map(type, read)]
    plain = json.loads(json.dumps(spec.to_plain()))
    assert StudySpec.parse(plain) == spec
    assert hash(StudySpec.parse(plain)) == hash(spec), "studies are keys of caches"
    assert ("compression" in plain) == bool(read)
    assert spec.at_threshold(0.5).compression == read
    assert (prunes(read), is_quantised(read)) == (next((s for s in read if s.prunes), None), Int8() in read)


def test_a_study_without_steps_is_written_as_before() -> None:
    assert make_spec(3).compression == ()
    assert "compression" not in make_spec(3).to_plain()


@pytest.mark.parametrize(
    ("said", "where", "why"),
    [
        ("LTH", "", "there is lth, lt4rec, prune, int8; got 'LTH'"),
        (3, "", "a name, or an object with name and options"),
        (None, "", "a name, or an object with name and options"),
        (True, "", "a name, or an object with name and options"),
        ({}, "", "a name, or an object with name and options"),
        ({"size": 0.5}, "", "a name, or an object with name and options"),
        ({"name": ["lth"]}, "", "a name, or an object with name and options"),
        ([["lth"]], ".0", "a name, or an object with name and options"),
        (["lth", "int4"], ".1", "there is lth, lt4rec, prune, int8; got 'int4'"),
        ({"name": "int8", "size": 0.5}, ".size", "there is no such option; int8 has no options"),
        ({"name": "prune", "rewind": 0.1}, ".rewind", "there is no such option; prune has the options size"),
        ({"name": "lth", "speed": 1}, ".speed", "lth has the options size, rewind; got 1"),
        ([{"name": "lth", "speed": 1}], ".0.speed", "there is no such option"),
        ({"name": "lth", "size": 0}, ".size", "greater than 0"),
        ({"name": "lth", "size": 1}, ".size", "less than 1"),
        ({"name": "lt4rec", "size": 1.5}, ".size", "less than 1"),
        ({"name": "prune", "size": "0.5"}, ".size", "number"),
        ({"name": "prune", "size": True}, ".size", "number"),
        ({"name": "prune", "size": None}, ".size", "number"),
        ({"name": "prune", "size": float("nan")}, ".size", "finite"),
        ({"name": "lth", "rewind": -0.1}, ".rewind", "greater than or equal to 0"),
        ({"name": "lth", "rewind": 0.6}, ".rewind", "less than or equal to 0.5"),
        (["lth", "prune"], "", "one step prunes, and each is named once; got lth, prune"),
        (["lth", "lth"], "", "one step prunes, and each is named once; got lth, lth"),
        (["int8", "int8"], "", "each is named once"),
        (["int8", "lth"], "", "int8 comes last"),
        (["lth", "int8", "prune"], "", "one step prunes"),
    ],
)
def test_what_makes_no_sense_is_refused_at_its_place(said: object, where: str, why: str) -> None:
    found = faults(said)
    assert list(found) == [f"compression{where}"]
    assert why in found[f"compression{where}"]


def test_every_fault_is_named_at_once() -> None:
    said = [{"name": "lth", "size": 2, "rewind": -1}, {"name": "int8", "bits": 4}, "zip"]
    assert set(faults(said, ar_threshold=7)) == {
        "ar_threshold",
        "compression.0.size",
        "compression.0.rewind",
        "compression.1.bits",
        "compression.2",
    }


@pytest.mark.parametrize("name", ["lth", "lt4rec"])
def test_weights_of_a_trunk_are_not_rewound_to(name: str) -> None:
    found = faults(name, training={"epochs": 9, "start": "trunk"})
    assert f"{name} goes back to the weights that the seed draws, and training.start is trunk" in found["compression"]
    for other in ("prune", "int8"):
        assert steps(other, training={"epochs": 9, "start": "trunk"})


@pytest.mark.parametrize(
    ("more", "why"),
    [
        ({"template": "cp-mobile"}, "prune: no channels can be taken out of cp-mobile"),
        ({"template": "transformer-s"}, "prune: no channels can be taken out of transformer-s"),
        ({"training": {"epochs": 9, "algorithm": "task-attention"}}, "gates need every channel"),
    ],
)
def test_templates_that_need_every_channel_are_not_thinned(more: dict[str, Any], why: str) -> None:
    assert why in faults("prune", **more)["compression"]
    for other in ("lth", "lt4rec", "int8"):
        assert steps(other, **more)


def test_single_weights_of_a_users_own_encoder_are_not_pruned() -> None:
    sizes = (BlockSize((1, 64, 100), (4, 32, 50), 44, 57_600, stride=2, offset=1),)
    own = {"template": "mine:make", "imported": ImportedEncoder("mine:make", "default", "d", "w", sizes)}
    for name in ("lth", "lt4rec"):
        assert "an encoder of your own can't be pruned" in faults(name, **own)["compression"]
    assert "no channels can be taken out of mine:make" in faults("prune", **own)["compression"]
    assert steps("int8", **own) == (Int8(),)


BELOW = [
    ({"name": "lth", "size": 0.05}, "lth can't leave so little: heads, biases and normalisations alone have"),
    ({"name": "lt4rec", "size": 0.05}, "lt4rec can't leave so little: heads, biases and normalisations alone have"),
    ({"name": "prune", "size": 0.01}, "prune can't leave so little: one channel per convolution leaves"),
]


def outlined(spec: StudySpec, base: Path) -> StudyOutline:
    return outline_study(spec, lambda name: find_local_report(name, base, check_manifest))


@pytest.mark.parametrize(("said", "why"), BELOW)
def test_a_size_below_what_is_never_pruned_is_refused_before_any_training(
    said: dict[str, Any], why: str, beeps: Path
) -> None:
    spec = beeps_spec(compression=said)
    checks: list[Callable[[], object]] = [
        lambda: outlined(spec, beeps),
        lambda: plan_study(spec, outlined(spec, beeps)),
        lambda: prepare(spec, data_dir=beeps, base=beeps),
    ]
    for check in checks:
        with pytest.raises(InvalidInput) as refused:
            check()
        (fault,) = refused.value.faults
        assert fault.where == "compression"
        assert fault.message.startswith(f"if all tasks share all blocks, {why}")


@pytest.mark.parametrize("name", ["lth", "lt4rec", "prune"])
def test_sizes_that_can_be_left_are_taken(name: str, beeps: Path) -> None:
    spec = beeps_spec(compression={"name": name, "size": 0.5})
    assert prepare(spec, data_dir=beeps, base=beeps).spec == spec
    plan, plain = (plan_study(one, outlined(one, beeps)) for one in (spec, beeps_spec()))
    assert plan.trials_at_least > plain.trials_at_least
    assert plan.trials_at_most > plain.trials_at_most
    assert plan.seconds_at_most > plain.seconds_at_most


@given(
    tree=branch_trees(3),
    size=st.floats(0.01, 0.99),
    template=st.sampled_from(["cnn8", "crnn", "cnn-bilstm", "transformer-s"]),
    outputs=st.lists(st.sampled_from([2, 10, 500]), min_size=3, max_size=3),
    name=st.sampled_from(["lth", "lt4rec", "prune"]),
)
def test_what_is_checked_holds_for_every_tree(
    tree: BranchTree, size: float, template: str, outputs: list[int], name: str
) -> None:
    """If a size is taken, every part of every tree can be made so small; and the parts have it, to the number."""
    known = get_template(template)
    if name == "prune" and template == "transformer-s":
        return
    tasks = [Task(task, TaskKind.CLIP, classes) for task, classes in zip("abc", outputs, strict=True)]
    asked = step(name, size=size)
    try:
        check_sizes((asked, Int8()), known, tasks)
    except InvalidInput:
        return
    part = cut_to(tree, known.depth)
    made = asked.pruning(part, known, tasks)
    assert made
    smaller, pruning = made
    whole = tree_cost(part, known, tasks).parameters or 0
    wanted = min(whole - 1, round(size * whole))
    if pruning.form is Pruned.CHANNELS:
        assert (smaller, pruning.keep) == (part, wanted)
        return
    fixed = fixed_parameters(smaller, known, tasks)
    assert fixed + pruning.keep == wanted
    if pruning.form is Pruned.WEIGHTS:
        assert smaller == part
        assert 1 <= pruning.keep < kernel_weights(part, known)
    else:
        assert smaller == BranchTree.flat(part.tasks, 0, known.depth)
        assert all(keep < known.kernels for keep in pruning.keeps[:-1])


def cut_to(tree: BranchTree, depth: int) -> BranchTree:
    """Return the tree with other blocks: each place of a branching moves with the depth."""

    def moved(given: Any) -> Any:
        blocks = [round(place * depth / tree.depth) for place in given["blocks"]]
        return {**given, "blocks": blocks, "children": [moved(child) for child in given["children"]]}

    try:
        return BranchTree.from_json(moved(tree.to_json()), depth)
    except InvalidInput:  # two places of branching fell on one
        return BranchTree.flat(tree.tasks, depth // 2, depth)


def test_the_schema_takes_what_is_read() -> None:
    jsonschema: Any = pytest.importorskip("jsonschema")
    schema = StudySpec.model_json_schema()
    validator = jsonschema.Draft202012Validator({**schema["properties"]["compression"], "$defs": schema["$defs"]})
    one = ["lth", "lt4rec", "prune", "int8", "zip", 3, None, {}, {"size": 0.5}]
    one += [
        {"name": name, **options}
        for name in COMPRESSIONS
        for options in (
            {},
            {"size": 0.3},
            {"size": 0},
            {"size": 1},
            {"size": "0.5"},
            {"size": True},
            {"rewind": 0.5},
            {"rewind": 0.51},
            {"speed": 1},
        )
    ]
    several = [[], *([said] for said in one), ["int8", "lth"], ["lth", "prune"], ["lth", "int8"], ["int8", "int8"]]
    several += [[{"name": "prune", "size": 0.1}, {"name": "int8"}], ["lth", "int8", "int8"], ["prune", "prune"]]
    for said in [*one, *several]:
        try:
            steps(said)
        except InvalidInput:
            assert not validator.is_valid(said), said
        else:
            assert validator.is_valid(said), said


def test_studies_are_read_without_torch() -> None:
    script = (
        "import sys\n"
        "from taskgraft.search.study.spec import StudySpec\n"
        "from taskgraft.search.study.compression_spec import check_sizes\n"
        "from taskgraft.search.strategies.compressing import with_compression\n"
        "tasks = [{'name': 'a', 'dataset': 'speech', 'target': 'a'}]\n"
        "for name in ('lth', 'lt4rec', 'prune', 'int8'):\n"
        "    StudySpec.parse({'ar_threshold': 0.02, 'tasks': tasks, 'compression': name})\n"
        "assert not {'torch', 'onnxruntime'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True, timeout=120)
