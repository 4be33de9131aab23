import pickle
from pathlib import Path

import numpy as np
import pytest

from taskgraft.evaluators.datasets.fingerprint import fingerprint
from taskgraft.evaluators.datasets.manifest import read_corpus
from taskgraft.evaluators.datasets.splits import Split
from taskgraft.evaluators.datasets.targets import MISSING
from taskgraft.evaluators.optimisation.class_weights import balanced_weights
from taskgraft.evaluators.study_data import StudyData, load_study_data
from tests.evaluators.tones import TEMPLATE, label_values, labelled_task, load_tones, write_tones


def test_class_weights_make_every_class_count_the_same() -> None:
    labels = np.array([0] * 6 + [1] * 3 + [2] * 1 + [MISSING] * 5, np.int16)
    weights = balanced_weights(labels, 3)
    np.testing.assert_allclose(weights * [6, 3, 1], 10 / 3, rtol=1e-6)
    assert weights[labels[labels != MISSING]].mean() == pytest.approx(1.0)


def test_class_weights_stay_below_ten() -> None:
    labels = np.array([0] * 999 + [1], np.int16)
    assert balanced_weights(labels, 2).tolist() == pytest.approx([1000 / 1998, 10.0])


def test_clip_targets_and_splits_are_those_of_the_manifest(tone_data: StudyData) -> None:
    pitch = tone_data.tasks["pitch"]
    assert pitch.labels == ("high", "low")
    assert label_values(tone_data, "pitch").tolist() == [1 - clip // 6 % 2 for clip in range(48)]
    assert pitch.clips[Split.VALIDATION].tolist() == list(range(4, 48, 6))
    assert pitch.clips[Split.TEST].tolist() == list(range(5, 48, 6))


def test_frame_targets_say_whether_the_frames_centre_lies_in_a_region(tone_data: StudyData, tones: Path) -> None:
    pack, rows = tone_data.packs["tones"], label_values(tone_data, "tone")
    regions = [line.split(",") for line in (tones.parent / "segments.csv").read_text().splitlines()[1:]]
    assert rows[0] == MISSING
    for clip in (0, 17, 47):
        onset, offset = map(float, regions[clip][1:3])
        for frame, value in enumerate(rows[pack.starts[clip] :][: pack.lengths[clip]]):
            assert value == (onset <= frame * 0.01 < offset)


def test_a_region_holds_the_frame_at_its_onset_and_not_the_one_at_its_offset(tmp_path: Path) -> None:
    manifest = write_tones(tmp_path / "corpus", 12)
    lines = [f"{clip}.wav,0.05,0.1,tone\n{clip}.wav,0.2,0.25,tone" for clip in range(12)]
    (tmp_path / "corpus" / "segments.csv").write_text("\n".join(["path,onset,offset,event", *lines]))
    data = load_tones({"tones": manifest}, [("tone", "tones", "tone")], tmp_path / "cache")
    rows = label_values(data, "tone")[data.packs["tones"].starts[7] :]
    assert np.flatnonzero(rows[:30] == 1).tolist() == [5, 6, 7, 8, 9, 20, 21, 22, 23, 24]


def test_clips_without_annotation_have_no_frame_targets(tmp_path: Path) -> None:
    manifest = write_tones(tmp_path / "corpus")
    lines = (tmp_path / "corpus" / "segments.csv").read_text().splitlines(keepends=True)
    (tmp_path / "corpus" / "segments.csv").write_text("".join(lines[:1] + lines[4:]))
    data = load_tones({"tones": manifest}, [("tone", "tones", "tone")], tmp_path / "cache")
    pack, rows = data.packs["tones"], label_values(data, "tone")
    assert np.all(rows[: pack.starts[3]] == MISSING)
    assert np.all(rows[pack.starts[3] :] != MISSING)
    assert data.tasks["tone"].clips[Split.TRAIN].tolist()[:2] == [3, 6]


def test_unlabelled_clips_belong_to_no_split_of_their_task(tmp_path: Path) -> None:
    manifest = write_tones(tmp_path / "corpus", unlabelled="shape")
    tasks = [("pitch", "tones", "pitch"), ("shape", "tones", "shape")]
    data = load_tones({"tones": manifest}, tasks, tmp_path / "cache")
    assert len(data.tasks["pitch"].clips[Split.TRAIN]) == 32
    assert len(data.tasks["shape"].clips[Split.TRAIN]) == 16
    assert data.epoch_clips == 32


def test_crop_fits_most_clips_in_whole_time_steps(tone_data: StudyData) -> None:
    lengths = tone_data.packs["tones"].lengths[tone_data.tasks["pitch"].clips[Split.TRAIN]]
    assert tone_data.crop % TEMPLATE.time_stride == 0
    assert 0.9 < (lengths <= tone_data.crop).mean() < 1.0


def test_crop_can_be_asked_for(tones: Path, tmp_path: Path) -> None:
    data = load_tones({"tones": tones}, [("pitch", "tones", "pitch")], tmp_path, clip_seconds=0.33)
    assert data.crop == 36


def test_data_travels_without_its_features(tone_data: StudyData) -> None:
    pickled = pickle.dumps(tone_data)
    assert len(pickled) < 50_000 < (tone_data.packs["tones"].folder / "frames.npy").stat().st_size
    again = pickle.loads(pickled)
    np.testing.assert_array_equal(again.packs["tones"].frames(), tone_data.packs["tones"].frames())


def test_progress_runs_once_over_all_corpora(tmp_path: Path) -> None:
    manifests = {name: write_tones(tmp_path / name, clips, seed=clips) for name, clips in (("a", 12), ("b", 36))}
    corpora = {name: read_corpus(manifest) for name, manifest in manifests.items()}
    fingerprints = {name: fingerprint(corpus) for name, corpus in corpora.items()}
    tasks = [labelled_task(name, corpus, name, "pitch") for name, corpus in corpora.items()]
    told: list[float] = []
    load_study_data(corpora, fingerprints, tasks, TEMPLATE, tmp_path / "cache", progress=told.append)
    assert told == sorted(told)
    assert told[11] == pytest.approx(0.25)
    assert told[-1] == pytest.approx(1.0)
    told.clear()
    load_study_data(corpora, fingerprints, tasks, TEMPLATE, tmp_path / "cache", progress=told.append)
    assert told == pytest.approx([0.25, 1.0])
