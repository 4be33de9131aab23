"""Trees of users' own blocks: weights of every branch, trainings, digests, bundles."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from taskgraft.errors import InvalidInput
from taskgraft.evaluators.digest import training_digest
from taskgraft.evaluators.imported.measuring import measure_encoder
from taskgraft.evaluators.models.tree_model import TreeModel
from taskgraft.evaluators.optimisation.optimisation import Optimisation
from taskgraft.evaluators.prediction import load_bundle
from taskgraft.evaluators.training import Schedule, Trainer, pack_weights
from taskgraft.space.document import read_tree_document, tree_document
from taskgraft.space.tasks import Task, TaskKind
from taskgraft.space.template import Block
from taskgraft.space.templates.imported import imported_template
from taskgraft.space.tree import BranchTree
from tests.evaluators.exported import TARGETS, export_tones
from tests.evaluators.tones import load_tones

HERE = "tests.evaluators.imported.encoders"
ONCE = Schedule(epochs=1, batch_size=16, optimisation=Optimisation(3e-3))
TASKS = [Task("a"), Task("b")]
BY_NAME = pytest.mark.parametrize("name", ["make", "ENCODER", "seeding_itself"])


def model(name: str, seed: int) -> TreeModel:
    template = imported_template(measure_encoder(f"{HERE}:{name}"))
    torch.manual_seed(seed)
    return TreeModel(BranchTree.flat(["a", "b"], 1, template.depth), template, TASKS)


@pytest.mark.parametrize("name", ["make", "ENCODER", "attention"])
def test_every_branch_has_weights_of_its_own_which_the_seed_decides(name: str) -> None:
    one, same, other = model(name, 3), model(name, 3), model(name, 4)
    assert pack_weights(one) == pack_weights(same)
    first, second = one.nodes["1"].state_dict(), one.nodes["2"].state_dict()
    drawn = [key for key, value in first.items() if value.unique().numel() > 1]
    assert drawn
    for key in drawn:
        assert not torch.equal(first[key], second[key])
        assert not torch.equal(first[key], other.nodes["1"].state_dict()[key])
    assert len({id(parameter) for parameter in one.parameters()}) == len(list(one.parameters()))


def test_code_that_seeds_itself_leaves_the_seed_of_the_training_alone() -> None:
    heads = [model(name, 3).heads.state_dict() for name in ("make", "seeding_itself")]
    assert all(torch.equal(heads[0][key], heads[1][key]) for key in heads[0])


@BY_NAME
def test_branches_do_not_change_what_others_take(name: str) -> None:
    """The first block behind the branching works in place as its user wrote it."""
    template = imported_template(measure_encoder(f"{HERE}:{name}"))
    tree = TreeModel(BranchTree.flat(["a", "b"], 2, template.depth), template, TASKS).eval()
    clips = torch.randn(3, 1, 64, 40)
    shared = tree.nodes["0"](clips)
    before = shared.clone()
    tree.nodes["1"](shared)
    assert torch.equal(shared, before)
    assert shared.min() >= 0


def test_an_encoder_that_has_changed_since_it_was_measured_is_refused() -> None:
    template = imported_template(measure_encoder(f"{HERE}:make"))
    (layer,) = template.blocks[0].layers
    changed = replace(template, blocks=(Block((replace(layer, digest="0" * 64),)), *template.blocks[1:]))  # type: ignore[call-arg]
    with pytest.raises(InvalidInput, match="make is not what it was when the study was read"):
        TreeModel(BranchTree.flat(["a", "b"], 1, template.depth), changed, TASKS)


@pytest.mark.parametrize("name", ["make", "gru", "without_time"])
def test_every_weight_is_trained_and_equal_seeds_give_equal_bits(name: str, tones: Path, tmp_path: Path) -> None:
    template = imported_template(measure_encoder(f"{HERE}:{name}"))
    tasks = [("pitch", "tones", "pitch"), ("tone", "tones", "tone")][: len(template.heads)]
    data = load_tones({"tones": tones}, tasks, tmp_path, clip_seconds=0.4, template=template)
    tree = BranchTree.flat([task for task, _, _ in tasks], template.depth - 2, template.depth)
    trainers = [Trainer(tree, data, ONCE, seed=0) for _ in range(2)]
    before = {key: value.clone() for key, value in trainers[0].model.named_parameters()}
    for trainer in trainers:
        while not trainer.finished:
            trainer.advance()
    assert not [key for key, value in trainers[0].model.named_parameters() if torch.equal(value, before[key])]
    assert pack_weights(trainers[0].model) == pack_weights(trainers[1].model)


def test_the_digest_of_a_training_holds_structure_source_and_numbers(tones: Path, tmp_path: Path) -> None:
    template = imported_template(measure_encoder(f"{HERE}:make"))
    data = load_tones({"tones": tones}, [("pitch", "tones", "pitch")], tmp_path, template=template)
    tree = BranchTree.flat(["pitch"], 4, 4)

    def digest(**changes: str) -> str:
        blocks = [Block((replace(block.layers[0], **changes),)) for block in template.blocks]
        changed = replace(data, template=replace(template, blocks=tuple(blocks)))
        return training_digest(tree, changed, {}, 0, {})

    assert digest() == training_digest(tree, data, {}, 0, {})
    assert len({digest(), digest(digest="0"), digest(weights="0")}) == 3


def test_a_tree_document_says_what_was_imported_and_is_read_without_it(monkeypatch: pytest.MonkeyPatch) -> None:
    template = imported_template(measure_encoder(f"{HERE}:make"))
    tree = BranchTree.flat(["a", "b"], 2, 4)
    document = tree_document(tree, template, 0.02, TASKS)
    assert document["template"] == f"{HERE}:make"
    monkeypatch.delattr(f"{HERE}.make")
    written = read_tree_document(document)
    assert (written.tree, written.template) == (tree, template)
    assert tree_document(written.tree, written.template, 0.02, TASKS) == document
    with pytest.raises(InvalidInput, match="is about other:make"):
        read_tree_document({**document, "template": "other:make"})
    with pytest.raises(InvalidInput, match="what Taskgraft measured of an encoder"):
        read_tree_document({**document, "imported": {"place": f"{HERE}:make"}})


@pytest.mark.slow
@pytest.mark.parametrize("name", ["make", "gru", "lstm"])
def test_a_bundle_of_it_answers_without_the_users_code(name: str, tmp_path: Path) -> None:
    template = imported_template(measure_encoder(f"{HERE}:{name}"))
    targets = {
        task: target for task, target in TARGETS.items() if task != "waveform" or TaskKind.FRAMES in template.kinds
    }
    exported = export_tones(tmp_path, template, targets, ONCE)  # which compares all forms of the model
    sound, rate = soundfile.read(exported.clip(4), dtype="float32")
    assert set(load_bundle(exported.folder).predict(np.asarray(sound), rate)) == set(targets)
