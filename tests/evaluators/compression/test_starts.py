"""Rounds of pruning on tiny trainings: what stays, what it begins with, and what it shares."""

from collections.abc import Mapping
from dataclasses import replace

import pytest
import torch
from safetensors.torch import load
from torch import Tensor

from taskgraft.evaluators.algorithms.hard import Hard
from taskgraft.evaluators.compression.channels import channel_mask, cut
from taskgraft.evaluators.compression.columns import column_masks, column_tree
from taskgraft.evaluators.compression.kernel_masks import kernels
from taskgraft.evaluators.compression.starts import SharedTickets, Thinned, Ticket
from taskgraft.evaluators.optimisation.optimisation import Optimisation
from taskgraft.evaluators.optimisation.optimisers import OptimiserName
from taskgraft.evaluators.schedule import Schedule
from taskgraft.evaluators.start import Start
from taskgraft.evaluators.study_data import StudyData
from taskgraft.evaluators.training import Trainer, pack_weights
from taskgraft.space.tree import BranchTree
from tests.evaluators.algorithms.runs import finish

SHORT = Schedule(2, 16, Optimisation(3e-3))
PAIR = BranchTree.flat(["pitch", "tone"], 8, 8)
COLUMNS = BranchTree.flat(["pitch", "tone"], 0, 8)
SEED = 5
Weights = Mapping[str, Tensor]


def trainer_of(tree: BranchTree, data: StudyData, start: Start | None = None, schedule: Schedule = SHORT) -> Trainer:
    return Trainer(tree, data, schedule, SEED, start=start)


def alone(task: str) -> BranchTree:
    return BranchTree.flat([task], 8, 8)


def weights_of(trainer: Trainer) -> Weights:
    return load(pack_weights(trainer.model))


@pytest.fixture(scope="module")
def dense(tone_data: StudyData) -> bytes:
    measured = finish(trainer_of(PAIR, tone_data))
    assert measured.weights
    return measured.weights


@pytest.mark.parametrize("optimiser", OptimiserName)
def test_kept_weights_begin_at_their_initial_values_and_pruned_ones_stay_at_0(
    tone_data: StudyData, dense: bytes, optimiser: OptimiserName
) -> None:
    schedule = replace(SHORT, optimisation=Optimisation(3e-3, optimiser))
    start = Ticket(9_000, 0.0, dense)
    trainer, initial = trainer_of(PAIR, tone_data, start, schedule), weights_of(trainer_of(PAIR, tone_data))
    begun, trained = weights_of(trainer), kernels(load(dense))
    smallest_kept = min(float(trained[name][kernel != 0].abs().min()) for name, kernel in kernels(begun).items())
    for name, tensor in begun.items():
        stays = tensor != 0 if name in trained else torch.ones_like(tensor, dtype=torch.bool)
        assert torch.equal(tensor[stays], initial[name][stays])
        if name in trained:
            assert (trained[name][~stays].abs() <= smallest_kept).all()
    assert sum(int((kernel != 0).sum()) for kernel in kernels(begun).values()) == 9_000
    while not trainer.finished:
        trainer.take(1)
        now = kernels(weights_of(trainer))
        assert all((now[name][begun[name] == 0] == 0).all() for name in now)
        assert any(not torch.equal(now[name], begun[name]) for name in now)


def test_a_later_step_may_be_rewound_to(tone_data: StudyData, dense: bytes) -> None:
    early = trainer_of(PAIR, tone_data)
    early.take(round(0.5 * early._total))
    expected, found = (
        weights_of(early),
        weights_of(trainer_of(PAIR, tone_data, Ticket(10**4, 0.5, dense))),
    )
    for name, tensor in found.items():
        stays = tensor != 0 if name in kernels(found) else torch.ones_like(tensor, dtype=torch.bool)
        assert torch.equal(tensor[stays], expected[name][stays])


def test_a_round_is_repeated_and_resumed_bit_for_bit(tone_data: StudyData, dense: bytes) -> None:
    start = Ticket(9_000, 0.0, dense)
    whole, again, begun, resumed = (trainer_of(PAIR, tone_data, start) for _ in range(4))
    begun.advance()
    resumed.go_on_from(begun.pack_state("stamp"), "stamp")
    assert finish(whole).weights == finish(again).weights == finish(resumed).weights


def tickets(data: StudyData, keep: int) -> tuple[bytes, ...]:
    """The last round of each task alone."""
    found = []
    for task in PAIR.tasks:
        whole = finish(trainer_of(alone(task), data)).weights
        assert whole
        last = finish(trainer_of(alone(task), data, Ticket(keep, 0.0, whole))).weights
        assert last
        found.append(last)
    return tuple(found)


@pytest.fixture(scope="module")
def kept(tone_data: StudyData) -> tuple[bytes, ...]:
    return tickets(tone_data, 9_000)


def test_columns_keep_one_set_of_weights(tone_data: StudyData, kept: tuple[bytes, ...]) -> None:
    masks = column_masks([load(one) for one in kept], 9_500)
    trainer = trainer_of(COLUMNS, tone_data, SharedTickets(9_500, 0.0, kept))
    before = weights_of(trainer)
    trainer.advance()
    after, union = weights_of(trainer), 0
    for name in masks[0]:
        rest = name.split(".", 2)[2]
        one, other = after[f"nodes.1.{rest}"], after[f"nodes.2.{rest}"]
        both = masks[0][name] & masks[1][name]
        assert torch.equal(one[both], other[both])
        assert not torch.equal(one[both], before[f"nodes.1.{rest}"][both])
        assert (one[~masks[0][name]] == 0).all()
        assert (other[~masks[1][name]] == 0).all()
        union += int(((one != 0) | (other != 0)).sum())
    assert union == 9_500


def test_a_weight_gets_its_gradients_from_the_tasks_that_keep_it(tone_data: StudyData, kept: tuple[bytes, ...]) -> None:
    """Step n of `hard` trains one task: what the other one alone keeps must not move."""
    masks = column_masks([load(one) for one in kept], 18_000)
    schedule = Schedule(2, 16, Optimisation(3e-3, weight_decay=0.0), algorithm=Hard())
    trainer = trainer_of(COLUMNS, tone_data, SharedTickets(18_000, 0.0, kept), schedule)
    before = weights_of(trainer)
    trainer.take(1)
    after, moved = weights_of(trainer), 0
    for name in masks[0]:
        rest = name.split(".", 2)[2]
        own, shared = masks[1][name] & ~masks[0][name], masks[0][name] & masks[1][name]
        one, other = after[f"nodes.1.{rest}"], after[f"nodes.2.{rest}"]
        assert torch.equal(other[own], before[f"nodes.2.{rest}"][own])
        assert torch.equal(one[shared], other[shared])
        moved += int((other[shared] != before[f"nodes.2.{rest}"][shared]).sum())
    assert moved


def test_masks_that_keep_everything_are_flat_sharing(tone_data: StudyData, dense: bytes) -> None:
    whole = []
    for task in PAIR.tasks:
        measured = finish(trainer_of(alone(task), tone_data))
        assert measured.weights
        whole.append(measured.weights)
    all_kept = tone_data.template.kernels
    masks = column_masks([load(one) for one in whole], all_kept)
    tree = column_tree(PAIR.tasks, masks, 8)
    assert tree == PAIR
    assert finish(trainer_of(tree, tone_data, SharedTickets(all_kept, 0.0, tuple(whole)))).weights == dense


def test_masks_that_share_nothing_are_independent_training(tone_data: StudyData) -> None:
    """Every other weight of each kernel is one task's, the rest the other's."""
    whole = [finish(trainer_of(alone(task), tone_data)).weights for task in PAIR.tasks]
    halves = []
    for place, packed in enumerate(whole):
        assert packed
        tensors = dict(load(packed))
        for name, kernel in kernels(tensors).items():
            parity = torch.arange(kernel.numel()).view(kernel.shape) % 2
            tensors[name] = torch.where(parity == place, kernel, 0.0)
        halves.append(tensors)
    keeps = [sum(int((kernel != 0).sum()) for kernel in kernels(half).values()) for half in halves]
    packed_halves = tuple(_packed(half) for half in halves)
    together = trainer_of(COLUMNS, tone_data, SharedTickets(sum(keeps), 0.0, packed_halves))
    apart = [
        trainer_of(alone(task), tone_data, Ticket(keep, 0.0, half))
        for task, keep, half in zip(PAIR.tasks, keeps, packed_halves, strict=True)
    ]
    for trainer in (together, *apart):
        while not trainer.finished:
            trainer.advance()
    found = weights_of(together)
    for place, trainer in enumerate(apart):
        for name, tensor in weights_of(trainer).items():
            kind, _, rest = name.split(".", 2)
            assert torch.equal(found[f"{kind}.{place + (kind == 'nodes')}.{rest}"], tensor), name


def _packed(tensors: Weights) -> bytes:
    from safetensors.torch import save

    return save({name: tensor.contiguous() for name, tensor in tensors.items()})


def test_digests_tell_starts_apart(dense: bytes) -> None:
    starts: list[Ticket | Thinned | SharedTickets] = [
        Ticket(9, 0.0, dense),
        Ticket(8, 0.0, dense),
        Ticket(9, 0.1, dense),
        Ticket(9, 0.0, dense[1:]),
        SharedTickets(9, 0.0, (dense,)),
        Thinned(9, dense),
        SharedTickets(9, 0.0, (dense, dense)),
    ]
    assert len({start.digest for start in starts}) == len(starts)
    assert starts[0].digest == Ticket(9, 0.0, bytes(dense)).digest
    assert all("weights" not in repr(start) for start in starts)


def test_thinned_models_go_on_from_their_trained_weights_without_some_channels(
    tone_data: StudyData, dense: bytes
) -> None:
    start, trained = Thinned(20_000, dense), load(dense)
    trainer = trainer_of(PAIR, tone_data, start)
    mask = channel_mask(trained, trainer.model.blocks, trainer.model.tasks, 20_000)
    begun = dict(trainer.model.named_parameters())
    for name, tensor in begun.items():
        assert torch.equal(tensor, torch.where(mask[name], trained[name], 0.0) if name in mask else trained[name])
    finish(trainer)
    for name, stays in mask.items():
        assert (begun[name][~stays] == 0).all()
    smaller = cut(trainer.model, mask)
    assert sum(weight.numel() for weight in smaller.parameters()) <= 20_000
    features = torch.randn(3, 1, 64, 40, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        expected, found = trainer.model.eval()(features), smaller.eval()(features)
    for task in PAIR.tasks:
        torch.testing.assert_close(found[task], expected[task], rtol=0, atol=1e-5)
