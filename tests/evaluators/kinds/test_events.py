"""Events: strong and weak labels, their loss, and what counts as detected."""

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.ndimage import median_filter

from taskgraft.errors import InvalidInput
from taskgraft.evaluators.datasets.manifest import read_corpus
from taskgraft.evaluators.datasets.splits import Split
from taskgraft.evaluators.datasets.targets import MISSING
from taskgraft.evaluators.evaluation import evaluate
from taskgraft.evaluators.kinds.events import EventLabels, EventsKind, detections, pooled
from taskgraft.evaluators.kinds.registry import task_targets
from taskgraft.evaluators.metrics import measure
from taskgraft.evaluators.optimisation.optimisation import Optimisation
from taskgraft.evaluators.schedule import Schedule
from taskgraft.evaluators.training import Trainer
from taskgraft.space.tasks import TaskKind
from taskgraft.space.templates.registry import get_template
from taskgraft.space.tree import BranchTree
from tests.evaluators.kinds.chimes import EVENTS, load_chimes, write_chimes

KIND = EventsKind()


def labels_of(corpus: Path, cache: Path) -> EventLabels:
    labels = load_chimes(corpus, [TaskKind.EVENTS], cache).tasks["events"].targets
    assert isinstance(labels, EventLabels)
    return labels


def test_clips_are_strong_weak_or_neither(tmp_path: Path) -> None:
    manifest = write_chimes(tmp_path / "corpus", weak=[12, 13], unlabelled=[18])
    data = load_chimes(manifest, [TaskKind.EVENTS], tmp_path / "cache")
    task, labels = data.tasks["events"], labels_of(manifest, tmp_path / "cache")
    assert {12, 13} <= set(task.clips[Split.TRAIN].tolist())
    assert 18 not in task.clips[Split.TRAIN]
    assert labels.weak[12].tolist() == [0, 1]
    assert labels.weak[18].tolist() == labels.weak[6].tolist() == [MISSING, MISSING]
    pack = data.packs["chimes"]
    onset, offset = labels.regions[0][6][0]
    inside = labels.strong[pack.starts[6] : pack.starts[6] + pack.lengths[6], 0]
    assert np.flatnonzero(inside).tolist() == [frame for frame in range(len(inside)) if onset <= frame / 100 < offset]
    assert (labels.strong[pack.starts[12] :][: pack.lengths[12]] == MISSING).all()


def test_that_an_event_sounds_somewhere_says_nothing_about_a_part_of_the_clip(tmp_path: Path) -> None:
    labels = labels_of(write_chimes(tmp_path / "corpus", weak=[12]), tmp_path / "cache")
    clips, first = np.array([12, 12], np.int32), 1 + 12 * 101
    rows = np.stack([first + np.arange(0, 100, 4), np.r_[first + np.arange(0, 50, 4), np.zeros(12, np.int64)]])
    assert labels.pick(clips, rows)[:, -1].tolist() == [[0, 1], [0, MISSING]]


@given(arrays(np.float32, st.tuples(st.integers(1, 40), st.integers(1, 3)), elements=st.floats(0, 1, width=32)))
def test_detections_are_the_median_of_seven_steps(probabilities: np.ndarray) -> None:
    expected = median_filter((probabilities > 0.5).astype(np.uint8), size=(7, 1), mode="nearest")
    np.testing.assert_array_equal(detections(probabilities), expected.astype(bool))


def test_steps_are_pooled_by_their_own_probability_or_by_weights_of_the_head() -> None:
    scores = torch.logit(torch.tensor([[[0.2, 0.5], [0.8, 0.5]]]))
    torch.testing.assert_close(pooled(scores, 2), torch.tensor([[(0.04 + 0.64) / 1.0, 0.5]]))
    weights = torch.tensor([[[3.0, 1.0], [0.0, 2.0]]])
    shares = weights.softmax(-1)
    expected = (torch.sigmoid(scores) * shares).sum(1) / shares.sum(1)
    torch.testing.assert_close(pooled(torch.cat([scores, weights], -1), 2), expected)


def test_the_loss_is_that_of_steps_and_of_whole_clips(tmp_path: Path) -> None:
    task = load_chimes(write_chimes(tmp_path / "corpus"), [TaskKind.EVENTS], tmp_path / "cache").tasks["events"]
    ones = task.class_weights * 0 + 1
    task = type(task)(task.task, task.corpus, task.metric, task.labels, task.targets, task.clips, ones)
    random = torch.Generator().manual_seed(0)
    scores = torch.randn(2, 3, 2, generator=random)
    targets = torch.tensor([[[1, 0], [1, -1], [0, 0], [-1, -1]], [[-1, -1]] * 3 + [[1, 0]]], dtype=torch.int8)
    steps = torch.nn.functional.binary_cross_entropy_with_logits
    chosen = scores[0][targets[0, :3] >= 0]
    strong = steps(chosen, targets[0, :3][targets[0, :3] >= 0].float())
    weak = torch.nn.functional.binary_cross_entropy(pooled(scores, 2)[1], targets[1, 3].float())
    torch.testing.assert_close(KIND.loss(task, scores, targets), strong + weak)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["cnn8", "crnn"])
def test_events_are_learned_from_strong_and_weak_labels(name: str, tmp_path: Path) -> None:
    template = get_template(name, 0.25 if name == "crnn" else 1.0)
    manifest = write_chimes(tmp_path / "corpus", 96, weak=range(60, 90), unlabelled=[90, 91])
    data = load_chimes(manifest, [TaskKind.EVENTS], tmp_path / "cache", template=template)
    tree = BranchTree.flat(["events"], template.depth, template.depth)
    trainer = Trainer(tree, data, Schedule(epochs=12, batch_size=16, optimisation=Optimisation(5e-3)), seed=0)
    while not trainer.finished:
        trainer.advance()
    said = evaluate(trainer.model, data, Split.TEST)["events"]
    assert measure(said, "segment_f1") > 0.6
    assert measure(said, "event_f1") > 0.2


def refused(folder: Path, target: str | tuple[str, ...], file: str = "", change: Callable[[str], str] = str) -> str:
    """What is said about the target once a file of the corpus was changed."""
    manifest = write_chimes(folder)
    if file:
        (folder / file).write_text(change((folder / file).read_text()))
    with pytest.raises(InvalidInput) as caught:
        task_targets(read_corpus(manifest, "chimes"), target, TaskKind.EVENTS)
    return str(caught.value)


def without_test_clips(segments: str) -> str:
    """The splits go round by six: these are all test clips."""
    return "".join(line for line in segments.splitlines(True) if not re.match(r"(5|11|17|23|29|35|41|47)\.", line))


def test_events_that_nothing_can_be_learned_from_are_refused(tmp_path: Path) -> None:
    assert "has no event 'meow' in its segments" in refused(tmp_path / "a", ("low", "meow"))
    assert "each once" in refused(tmp_path / "b", ("low", "low"))
    message = refused(tmp_path / "c", EVENTS, "segments.csv", without_test_clips)
    assert "sounds in no clip of the split test that segments.csv speaks of" in message
    message = refused(tmp_path / "d", EVENTS, "manifest.csv", lambda text: text.replace(",yes,", ",poodle,"))
    assert "the column 'low' has the name of the event, so it says yes or no" in message
    assert "'poodle'" in message
