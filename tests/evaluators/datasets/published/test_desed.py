from pathlib import Path

import pytest

from taskgraft.evaluators.datasets.check import check_manifest, check_tables
from taskgraft.evaluators.datasets.manifest import read_corpus

from ..corpora import faults_of, found, write_lines, write_tone
from .copies import STRONG, VIDEO, append, column, desed, groups, splits

AUDIO, METADATA = "dataset/audio", "dataset/metadata"
WEAK, SYNTHETIC = f"{METADATA}/train/weak.tsv", f"{METADATA}/train/synthetic21_train/soundscapes.tsv"
DOG_AND_SPEECH = f"{AUDIO}/train/weak/{VIDEO.format('B')}"
UNLABELLED = f"{AUDIO}/train/unlabel_in_domain/{VIDEO.format('C')}"


def synthetic(number: int) -> str:
    return f"{AUDIO}/train/synthetic21_train/soundscapes/{number}.wav"


def test_folders_are_splits_and_videos_are_groups(tmp_path: Path) -> None:
    corpus = read_corpus(desed(tmp_path))
    assert splits(corpus)[UNLABELLED] == "train"
    assert splits(corpus)[f"{AUDIO}/validation/validation/{VIDEO.format('D')}"] == "validation"
    assert splits(corpus)[f"{AUDIO}/eval/public/1Ro0FgMWTUE_120_130.wav"] == "test"
    assert groups(corpus)[DOG_AND_SPEECH] == "00pbt6aJV8B"
    assert groups(corpus)[f"{AUDIO}/eval/public/1Ro0FgMWTUE_120_130.wav"] == "1Ro0FgMWTUE"
    assert groups(corpus)[synthetic(1)] == ""


def test_strong_labels_are_segments_and_no_other_clip_is_annotated(tmp_path: Path) -> None:
    corpus = read_corpus(desed(tmp_path))
    place = {path: clip for clip, path in enumerate(corpus.paths)}
    assert corpus.segments["Dog"][place[synthetic(1)]] == ((0.01, 0.08),)  # two dogs, one after the other
    assert place[synthetic(2)] in corpus.annotated  # a row without an event: nothing sounds
    assert not {place[DOG_AND_SPEECH], place[UNLABELLED]} & corpus.annotated
    report = check_manifest(tmp_path)
    assert report.ok  # an event that ends after its clip is no fault
    assert report.events["Dog"].clips == {"train": 1, "validation": 1, "test": 1}
    assert report.events["Dog"].annotated == {"train": 2, "validation": 2, "test": 1}


def test_labels_of_whole_clips(tmp_path: Path) -> None:
    corpus = read_corpus(desed(tmp_path))
    assert set(corpus.labels) == {"has_Dog", "has_Speech"}
    dogs, speech = column(corpus, "has_Dog"), column(corpus, "has_Speech")
    assert (dogs[DOG_AND_SPEECH], speech[DOG_AND_SPEECH]) == ("yes", "yes")
    assert speech[f"{AUDIO}/train/weak/{VIDEO.format('A')}"] == "no"
    assert (dogs[UNLABELLED], speech[UNLABELLED]) == ("", "")
    assert (dogs[synthetic(1)], dogs[synthetic(2)]) == ("yes", "no")  # strong labels say as much
    assert not check_tables(tmp_path).labels["has_Speech"].faults


def test_the_folder_above_metadata_will_do(tmp_path: Path) -> None:
    desed(tmp_path)
    assert "audio/train/weak/" + VIDEO.format("A") in read_corpus(tmp_path / "dataset").paths


def test_the_layout_of_2019_and_copies_at_16_khz(tmp_path: Path) -> None:
    before = read_corpus(desed(tmp_path))
    audio = tmp_path / AUDIO
    for clip in (audio / "validation/validation").iterdir():
        clip.rename(audio / "validation" / clip.name)
    (audio / "train/weak").rename(audio / "train/weak_16k")
    (audio / "train/synthetic21_train/soundscapes").rename(audio / "train/synthetic21_train/soundscapes_16k")
    after = read_corpus(tmp_path)
    assert after.splits == before.splits
    assert f"{AUDIO}/validation/{VIDEO.format('D')}" in after.paths
    assert f"{AUDIO}/train/weak_16k/{VIDEO.format('A')}" in after.paths


def test_a_list_without_recordings_is_left_out_and_told(tmp_path: Path) -> None:
    root = desed(tmp_path)
    write_lines(root / METADATA / "train/audioset_strong.tsv", STRONG, "Yaaaaaaaaaaa_0.000_10.000.wav\t0\t1\tDog")
    report = check_tables(root)
    assert report.ok
    warning = "dataset/metadata/train/audioset_strong.tsv is left out: the folder has none of its recordings"
    assert warning in report.warnings
    write_tone(root / AUDIO / "train/strong_label_real/Yaaaaaaaaaaa_0.000_10.000.wav")
    assert check_tables(root).clips == report.clips + 1


def test_without_the_public_evaluation_test_is_half_of_validation(tmp_path: Path) -> None:
    root = desed(tmp_path)
    (root / METADATA / "eval/public.tsv").unlink()
    found_splits = splits(read_corpus(root))
    held_out = [split for path, split in found_splits.items() if "/validation/" in path]
    assert sorted(held_out) == ["test", "validation"]


def test_faults_name_the_list_and_its_line(tmp_path: Path) -> None:
    root = desed(tmp_path)
    weak = append(root / WEAK, "away.wav\tDog", f"{VIDEO.format('A')}\tDog", "no label", "../a.wav\tDog")
    strong = append(root / SYNTHETIC, "3.wav\t0\t1\tDog", "3.wav\t0\t2\tDog", "1.wav\t2\t1\tDog", "2.wav\t0\t1\t")
    faults = faults_of(lambda: read_corpus(root))
    assert len(faults) == 7
    assert found(faults, f"{WEAK}:{weak}", f"'{AUDIO}/train/weak/away.wav' is not below")
    assert found(faults, f"{WEAK}:{weak + 1}", "a clip is listed once")
    assert found(faults, f"{WEAK}:{weak + 2}", "a row has 2 fields")
    assert found(faults, f"{WEAK}:{weak + 3}", "stays inside")
    assert found(faults, f"{SYNTHETIC}:{strong}", "3.wav' is not below")  # once, not for every event
    assert found(faults, f"{SYNTHETIC}:{strong + 2}", "offset lies after its onset")
    assert found(faults, f"{SYNTHETIC}:{strong + 3}", "a segment names its event")


@pytest.mark.parametrize("header", ["filename\tlabels", "filename\tonset\tevent_label"])
def test_unknown_columns(tmp_path: Path, header: str) -> None:
    root = desed(tmp_path)
    write_lines(root / WEAK, header)
    message = f"(no labels); there are {header.split(chr(9))!r}"
    assert found(faults_of(lambda: read_corpus(root)), f"{WEAK}:1", message)


def test_a_weak_label_without_events(tmp_path: Path) -> None:
    root = desed(tmp_path)
    write_lines(root / WEAK, "filename\tevent_labels", f"{VIDEO.format('A')}\t , ")
    assert found(faults_of(lambda: read_corpus(root)), f"{WEAK}:2", "events, separated by commas; got ','")
