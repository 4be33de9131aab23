from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
import torch

from taskgraft.evaluators.batches import Batch, Crops, TrainBatches, assemble, evaluation_batches
from taskgraft.evaluators.datasets.splits import Split
from taskgraft.evaluators.datasets.targets import MISSING
from taskgraft.evaluators.features import SILENCE
from taskgraft.evaluators.kinds.frames import FrameLabels
from taskgraft.evaluators.study_data import StudyData
from taskgraft.space.front_ends import Picture
from taskgraft.space.templates.registry import get_template
from tests.evaluators.tones import label_values, load_tones, write_tones

STRIDE = 4


@pytest.fixture(scope="module")
def two_corpora(tmp_path_factory: pytest.TempPathFactory) -> StudyData:
    """Crops shorter than some clips and longer than others; shapes are labelled in a half of the second corpus only."""
    root = tmp_path_factory.mktemp("two")
    manifests = {"one": write_tones(root / "one"), "two": write_tones(root / "two", seed=1, unlabelled="shape")}
    tasks = [("pitch", "one", "pitch"), ("tone", "one", "tone"), ("shape", "two", "shape")]
    return load_tones(manifests, tasks, root / "cache", clip_seconds=0.5)


def test_crops_cut_from_the_clip_and_fill_up_with_silence(two_corpora: StudyData) -> None:
    pack, task = two_corpora.packs["one"], two_corpora.tasks["tone"]
    clips, offsets = np.array([3, 4, 5], np.int32), np.array([0, -7, 11])
    batch = assemble(two_corpora, [task], {"one": Crops(clips, offsets)})
    assert batch.features.shape == (3, 1, 64, two_corpora.crop)
    for row, (clip, offset) in enumerate(zip(clips, offsets, strict=True)):
        own = pack.frames()[pack.starts[clip] :][: pack.lengths[clip]].astype(np.float32)
        long = np.full((1000, 64), np.float16(SILENCE), np.float32)
        long[100 : 100 + len(own)] = own
        labels = np.full(1000, MISSING)
        labels[100 : 100 + len(own)] = label_values(two_corpora, "tone")[pack.starts[clip] :][: len(own)]
        window = slice(100 + offset, 100 + offset + two_corpora.crop)
        np.testing.assert_array_equal(batch.features[row, 0].T, long[window])
        np.testing.assert_array_equal(batch.targets["tone"][row], labels[window][::STRIDE])


def test_every_task_is_asked_about_its_own_corpus(two_corpora: StudyData) -> None:
    batch = next(TrainBatches(two_corpora, list(two_corpora.tasks.values()), 5, np.random.default_rng(0)))
    assert len(batch.features) == 10
    assert {name: rows.tolist() for name, rows in batch.rows.items()} == {
        "pitch": [0, 1, 2, 3, 4],
        "tone": [0, 1, 2, 3, 4],
        "shape": [5, 6, 7, 8, 9],
    }
    assert batch.rows["pitch"] is batch.rows["tone"]


def test_training_goes_through_all_labelled_clips_before_any_comes_again(two_corpora: StudyData) -> None:
    task = two_corpora.tasks["pitch"]
    pack, train = two_corpora.packs["one"], task.clips[Split.TRAIN]
    means = {clip: pack.frames()[pack.starts[clip] :][: pack.lengths[clip]].astype(float).mean() for clip in train}
    assert len(set(means.values())) == len(train) == 32
    seen: list[int] = []
    for batch in islice(TrainBatches(two_corpora, [task], 5, np.random.default_rng(0)), 32):
        seen.extend(batch.targets["pitch"].tolist())
    assert len(seen) == 160
    in_train = np.bincount(label_values(two_corpora, "pitch")[train]).tolist()
    for start in range(0, 160, 32):
        assert np.bincount(seen[start : start + 32]).tolist() == in_train


def test_short_clips_stand_whole_anywhere_in_their_crop_and_long_ones_fill_it(two_corpora: StudyData) -> None:
    task, pack, crop = two_corpora.tasks["tone"], two_corpora.packs["one"], two_corpora.crop
    batches = TrainBatches(two_corpora, [task], 32, np.random.default_rng(0))
    labelled = torch.cat([batch.targets["tone"] != MISSING for batch in islice(batches, 5)])
    steps = pack.lengths[task.clips[Split.TRAIN]].clip(max=crop) / STRIDE
    assert labelled.sum() == pytest.approx(5 * steps.sum(), rel=0.02)
    first = labelled.int().argmax(1)[~labelled.all(1)]
    assert len(set(first.tolist())) > 3


def test_missing_labels_of_a_batch_are_marked(two_corpora: StudyData) -> None:
    clips = np.arange(12, 36, dtype=np.int32)
    batch = assemble(two_corpora, [two_corpora.tasks["shape"]], {"two": Crops(clips, np.zeros(24, np.int64))})
    assert (batch.targets["shape"] == MISSING).tolist() == [clip >= 24 for clip in clips]


def test_equal_generators_give_equal_batches(two_corpora: StudyData) -> None:
    def first(seed: int) -> torch.Tensor:
        batches = TrainBatches(two_corpora, list(two_corpora.tasks.values()), 7, np.random.default_rng(seed))
        return torch.cat([batch.features for batch in islice(batches, 9)])

    assert torch.equal(first(3), first(3))
    assert not torch.equal(first(3), first(4))


def test_evaluation_reads_every_frame_of_every_labelled_clip_once(two_corpora: StudyData) -> None:
    tasks, pack = list(two_corpora.tasks.values())[:2], two_corpora.packs["one"]
    steps: dict[int, int] = {}
    for batch, clips, fresh in evaluation_batches(two_corpora, tasks, Split.VALIDATION, size=3):
        labelled = (batch.targets["tone"] != MISSING) & fresh
        for clip, count in zip(clips.tolist(), labelled.sum(1).tolist(), strict=True):
            steps[clip] = steps.get(clip, 0) + count
    expected = {int(clip): -(-int(pack.lengths[clip]) // STRIDE) for clip in tasks[0].clips[Split.VALIDATION]}
    assert steps == expected
    assert any(pack.lengths[clip] > two_corpora.crop for clip in expected)


def with_places_as_targets(data: StudyData) -> StudyData:
    """The data with the row of the pack that a frame stands in as the target of every frame."""
    tone = data.tasks["tone"]
    places = np.arange(len(label_values(data, "tone")), dtype=np.int16)
    return replace(data, tasks={**data.tasks, "tone": replace(tone, targets=FrameLabels(places))})


def batches_of(data: StudyData, shift: int, seed: int = 0) -> Iterator[Batch]:
    return TrainBatches(data, [data.tasks["tone"]], 32, np.random.default_rng(seed), shift)


@pytest.mark.parametrize("shift", [0, 3, 12, 1_000])
def test_features_and_targets_move_together(two_corpora: StudyData, shift: int) -> None:
    data = with_places_as_targets(two_corpora)
    frames = data.packs["one"].frames()
    for batch in islice(batches_of(data, shift), 5):
        places = batch.targets["tone"].numpy()
        np.testing.assert_array_equal(batch.features[:, 0, :, ::STRIDE].transpose(1, 2), frames[places])
        np.testing.assert_array_equal(batch.inside[:, ::STRIDE], places > 0)


@pytest.mark.parametrize("shift", [1, 5, 1_000])
def test_crops_move_by_so_many_frames_at_most_and_keep_half_of_what_they_hold(
    two_corpora: StudyData, shift: int
) -> None:
    crop, pack, clips = two_corpora.crop, two_corpora.packs["one"], two_corpora.tasks["tone"].clips[Split.TRAIN]
    still = torch.cat([batch.inside.sum(1) for batch in islice(batches_of(two_corpora, 0), 20)])
    moved = torch.cat([batch.inside.sum(1) for batch in islice(batches_of(two_corpora, shift), 20)])
    assert still.min() == min(crop, pack.lengths[clips].min())
    lost = still.min() - moved.min()
    assert 0 < lost <= shift
    assert moved.min() >= still.min() // 2
    long = islice(batches_of(two_corpora, shift), 20)
    ahead = torch.cat([batch.inside.int().argmax(1)[batch.inside.any(1)] for batch in long])
    assert ahead.max() > 0


def test_pictures_are_cut_or_filled_up_at_random_in_training_and_alike_in_validation(tmp_path: Path) -> None:
    """Their source cuts at random, or pads at random places, in every epoch, and fixes both for validation."""
    manifest, short = write_tones(tmp_path / "tones"), 20
    template = get_template("vgg11-bn", 0.125)
    template = replace(template, front_end=Picture(window=2_048, hop=512, fft=2_048, bands=64, length=short))
    data = load_tones({"tones": manifest}, [("pitch", "tones", "pitch")], tmp_path / "cache", template=template)
    pack, task = data.packs["tones"], data.tasks["pitch"]
    lengths = pack.lengths[task.clips[Split.TRAIN]]
    assert (lengths < short).any()
    assert (lengths > short).any()
    seen: dict[int, set[tuple[int, int]]] = {}
    for batch in islice(TrainBatches(data, [task], 32, np.random.default_rng(0)), 60):
        assert batch.features.shape == (32, 1, 64, short)
        for features, inside in zip(batch.features[:, 0], batch.inside, strict=True):
            first = int(inside.int().argmax())
            place = int(np.flatnonzero((pack.frames() == features[:, first].numpy()).all(1))[0])
            clip = int(np.searchsorted(pack.starts, place, side="right")) - 1
            seen.setdefault(clip, set()).add((first, place - int(pack.starts[clip])))
    for clip, starts in seen.items():
        spare = int(pack.lengths[clip]) - short
        anywhere = {(0, cut) for cut in range(spare + 1)} if spare > 0 else {(lead, 0) for lead in range(1 - spare)}
        assert starts <= anywhere
        assert len(starts) > 0.8 * len(anywhere)
    validation = [
        [batch.features for batch, _, _ in evaluation_batches(data, [task], Split.VALIDATION)] for _ in range(2)
    ]
    assert all(torch.equal(one, other) for one, other in zip(*validation, strict=True))
