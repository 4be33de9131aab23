"""Networks as they are deployed: what they weigh against counts by hand, and that they say what was trained."""

from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load

from taskgraft.evaluators.assembly import assemble_model
from taskgraft.evaluators.compression.quantised import Quantised, evaluate_quantised, quantise
from taskgraft.evaluators.compression.starts import SharedTickets, Thinned, Ticket
from taskgraft.evaluators.datasets.splits import Split
from taskgraft.evaluators.evaluation import evaluate
from taskgraft.evaluators.models.device_model import DeviceModel
from taskgraft.evaluators.optimisation.optimisation import Optimisation
from taskgraft.evaluators.outcomes import Outcomes
from taskgraft.evaluators.schedule import Schedule
from taskgraft.evaluators.start import Start
from taskgraft.evaluators.study_data import StudyData
from taskgraft.evaluators.training import Trainer, pack_weights
from taskgraft.search.comparison.protocol import Part
from taskgraft.search.running import networks as running
from taskgraft.search.running.artifacts import Checkpoints
from taskgraft.search.running.networks import Networks, NetworkSizes
from taskgraft.search.study.preparation import PreparedStudy, prepare
from taskgraft.search.study.pruning import Pruned, Pruning
from taskgraft.search.study.trial import Training
from taskgraft.space.cost import tree_cost
from taskgraft.space.pruning import fixed_parameters, weights_within
from taskgraft.space.tree import BranchTree
from tests.search.corpora import beeps_spec

TASKS = ("pitch", "loud", "shape")
FLAT, COLUMNS = BranchTree.flat(TASKS, 8, 8), BranchTree.flat(TASKS, 0, 8)
ALONE = tuple(BranchTree.flat([task], 8, 8) for task in TASKS)
SIZE = 15_000


@pytest.fixture(scope="module")
def prepared(beeps: Path) -> PreparedStudy:
    return prepare(beeps_spec(), data_dir=beeps, base=beeps)


@pytest.fixture
def networks(prepared: PreparedStudy, beeps_data: StudyData, tmp_path: Path) -> Networks:
    return Networks(prepared, beeps_data, Checkpoints(tmp_path, "study"))


def begin(networks: Networks, training: Training, start: Start | None = None) -> bytes:
    """Keep the weights that a training begins with as those that it ends with."""
    schedule = Schedule(1, 12, Optimisation(0.005))
    weights = pack_weights(Trainer(training.tree, networks.data, schedule, 0, start=start).model)
    networks.checkpoints.save(training, weights)
    return weights


def kept(networks: Networks, tree: BranchTree) -> int:
    return weights_within(tree, networks.prepared.spec.encoder, networks.prepared.tasks, SIZE)


def parameters(networks: Networks, tree: BranchTree) -> int:
    return tree_cost(tree, networks.prepared.spec.encoder, networks.prepared.tasks).parameters or 0


def are_equal(one: Outcomes, other: Outcomes) -> bool:
    tables = [(table, other.tables[name]) for name, table in one.tables.items()]
    return all(
        np.array_equal(getattr(table, field.name), getattr(same, field.name))
        for table, same in tables
        for field in fields(table)
    )


def test_a_pruned_network_has_exactly_the_parameters_that_are_left(networks: Networks) -> None:
    dense = begin(networks, Training(FLAT))
    keep = kept(networks, FLAT)
    training = Training(FLAT, pruning=Pruning(Pruned.WEIGHTS, (keep,)))
    weights = load(begin(networks, training, Ticket(keep, 0.0, dense)))
    sizes, plain = (networks.sizes(Part(one, TASKS)) for one in (training, Training(FLAT)))
    assert sizes.nominal_parameters == SIZE
    assert (sizes.parameters, sizes.macs_per_second) == (plain.parameters, plain.macs_per_second)
    assert sizes.stored_bytes == plain.stored_bytes == sum(tensor.nbytes for tensor in weights.values())
    assert plain.packed_bytes == plain.stored_bytes
    kernels = [one for name, one in weights.items() if name.startswith("nodes.") and one.ndim == 4]
    saved = sum(one.nbytes - 4 * np.count_nonzero(one) - -(-one.size // 8) for one in kernels if not one.all())
    assert sizes.packed_bytes == sizes.stored_bytes - saved


def test_tasks_that_share_weights_count_each_of_them_once(networks: Networks) -> None:
    keep, parts = kept(networks, COLUMNS), []
    for tree in ALONE:
        dense = begin(networks, Training(tree))
        alone = Training(tree, pruning=Pruning(Pruned.WEIGHTS, (keep,)))
        parts.append(begin(networks, alone, Ticket(keep, 0.0, dense)))
    training = Training(COLUMNS, pruning=Pruning(Pruned.SHARED, (keep, keep)))
    weights = load(begin(networks, training, SharedTickets(keep, 0.0, tuple(parts))))
    sizes = networks.total([training])
    assert sizes == networks.sizes(Part(training, TASKS))
    by_name: dict[str, list[np.ndarray]] = {}
    for name, tensor in weights.items():
        if name.startswith("nodes.") and tensor.ndim == 4:
            by_name.setdefault(name.split(".", 2)[2], []).append(tensor)
    union = sum(np.count_nonzero(np.any(np.stack(one) != 0, axis=0)) for one in by_name.values())
    assert union <= keep
    spec, tasks = networks.prepared.spec, networks.prepared.tasks
    assert sizes.nominal_parameters == fixed_parameters(COLUMNS, spec.encoder, tasks) + union <= SIZE
    assert sizes.parameters == parameters(networks, COLUMNS)


def test_a_thinned_network_is_smaller_and_says_the_same(networks: Networks) -> None:
    dense = begin(networks, Training(FLAT))
    training = Training(FLAT, pruning=Pruning(Pruned.CHANNELS, (SIZE,)))
    weights = begin(networks, training, Thinned(SIZE, dense))
    sizes, plain = (networks.sizes(Part(one, TASKS)) for one in (training, Training(FLAT)))
    model = networks.model(training)
    count = sum(parameter.numel() for parameter in model.parameters())
    assert sizes.parameters == sizes.nominal_parameters == count
    assert 0.9 * SIZE < count <= SIZE
    assert sizes.macs_per_second < plain.macs_per_second
    assert sizes.stored_bytes == sizes.packed_bytes < plain.stored_bytes
    tasks = {task.name: task for task in networks.prepared.tasks}
    masked = assemble_model(FLAT, networks.data.template, tasks, [(FLAT, weights)])
    for one, other in ((model, masked), (networks.assemble(FLAT, [training]), masked)):
        said, expected = (evaluate(each, networks.data, Split.TEST) for each in (one, other))
        for task in TASKS:
            assert are_equal(said[task], expected[task])
    assert are_equal(networks.say(Part(training, TASKS), Split.TEST)["pitch"], expected["pitch"])


def test_thinned_parts_side_by_side_are_put_together(networks: Networks) -> None:
    trainings = []
    for tree in (ALONE[0], BranchTree.flat(TASKS[1:], 8, 8)):
        dense = begin(networks, Training(tree))
        training = Training(tree, pruning=Pruning(Pruned.CHANNELS, (SIZE,)))
        begin(networks, training, Thinned(SIZE, dense))
        trainings.append(training)
    whole = BranchTree.from_json(
        {
            "tasks": list(TASKS),
            "blocks": [0, 0],
            "children": [training.tree.to_json() for training in trainings],
        },
        8,
    )
    model = networks.assemble(whole, trainings)
    assert sum(parameter.numel() for parameter in model.parameters()) == networks.total(trainings).parameters
    said = evaluate(model, networks.data, Split.VALIDATION)
    for training in trainings:
        alone = networks.say(Part(training, training.tasks), Split.VALIDATION)
        assert all(are_equal(said[task], alone[task]) for task in training.tasks)


def test_a_network_of_eight_bits_answers_with_the_runtime(networks: Networks, monkeypatch: pytest.MonkeyPatch) -> None:
    begin(networks, Training(FLAT))
    part = Part(Training(FLAT), TASKS, is_quantised=True)
    data, trained = networks.data, networks.model(part.training)
    quantised = quantise(DeviceModel(trained, data), data)

    def known(device: DeviceModel, given: StudyData) -> Quantised:  # an export takes seconds
        assert pack_weights(device.tree) == pack_weights(trained)
        assert given.template == data.template
        return quantised

    monkeypatch.setattr(running, "quantise", known)
    expected = evaluate_quantised(quantised, data, Split.TEST)
    said = networks.say(part, Split.TEST)
    assert all(are_equal(said[task], expected[task]) for task in TASKS)
    sizes, plain = networks.sizes(part), networks.sizes(Part(Training(FLAT), TASKS))
    assert sizes.stored_bytes == sizes.packed_bytes == quantised.weight_bytes
    assert 3 * sizes.stored_bytes < plain.stored_bytes
    assert (sizes.parameters, sizes.macs_per_second) == (plain.parameters, plain.macs_per_second)


def test_networks_weigh_together_what_each_of_them_does() -> None:
    one, other = NetworkSizes(10, 5, 40, 20, 100), NetworkSizes(1, 1, 4, 4, 7)
    assert NetworkSizes.sum([one, other]) == NetworkSizes(11, 6, 44, 24, 107)
