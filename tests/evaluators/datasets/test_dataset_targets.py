from pathlib import Path

import numpy as np
import pytest

from taskgraft.evaluators.datasets.manifest import Corpus, read_corpus
from taskgraft.evaluators.datasets.splits import Split
from taskgraft.evaluators.kinds.clip import ClipTargets
from taskgraft.evaluators.kinds.frames import FrameTargets
from taskgraft.evaluators.kinds.registry import task_targets
from taskgraft.space.tasks import TaskKind

from .corpora import faults_of, sound_corpus, write_lines


def messages(corpus: Corpus, target: str, kind: TaskKind = TaskKind.CLIP) -> list[str]:
    faults = faults_of(lambda: task_targets(corpus, target, kind))
    assert {fault.where for fault in faults} <= {"target"}
    return [fault.message for fault in faults]


def corpus_of(folder: Path, *rows: str) -> Corpus:
    return read_corpus(write_lines(folder / "manifest.csv", "path,split,word", *rows), "zoo")


def test_clip_labels_become_places_in_the_sorted_label_set(tmp_path: Path) -> None:
    rows = ["a,train,dog", "b,train,cat", "c,train,", "d,validation,cat", "e,test,dog", "f,train,dog"]
    targets = task_targets(corpus_of(tmp_path, *rows), "word", TaskKind.CLIP)
    assert isinstance(targets, ClipTargets)
    assert targets.label_set == ("cat", "dog")
    np.testing.assert_array_equal(targets.values, [1, 0, -1, 0, 1, 1])
    np.testing.assert_array_equal(targets.labelled, [True, True, False, True, True, True])
    assert targets.class_counts == {
        Split.TRAIN: {"cat": 1, "dog": 2},
        Split.VALIDATION: {"cat": 1},
        Split.TEST: {"dog": 1},
    }


def test_an_unknown_column_is_told_which_there_are(tmp_path: Path) -> None:
    corpus = read_corpus(sound_corpus(tmp_path), "zoo")
    assert messages(corpus, "plant") == ["zoo has no label column 'plant'; there are 'animal'"]
    assert messages(corpus, "split") == ["zoo has no label column 'split'; there are 'animal'"]


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        (
            ["a,train,cat", "b,train,dog", "c,validation,cow", "d,test,cat"],
            "train never shows what validation has: 'cow'",
        ),
        (["a,train,cat", "b,train,dog", "c,validation,dog", "d,test,"], "no clip of the split test has a label"),
        (["a,train,cat", "b,train,", "c,validation,cat", "d,test,cat"], "train shows one class only, 'cat'"),
    ],
)
def test_labels_that_nothing_can_be_learned_from(tmp_path: Path, rows: list[str], expected: str) -> None:
    (message,) = messages(corpus_of(tmp_path, *rows), "word")
    assert message.startswith(f"word of zoo: {expected}")


def test_all_reasons_are_given_at_once(tmp_path: Path) -> None:
    unseen = [f"v{place},validation,new{place:02}" for place in range(12)]
    found = messages(corpus_of(tmp_path, "a,train,cat", "t,test,", *unseen), "word")
    assert len(found) == 3
    assert found[2].endswith("'new09' and 2 more")


ALL = ("train", "validation", "test")


def test_frames_tell_absent_from_unlabelled(tmp_path: Path) -> None:
    rows = [f"{split}-cat.wav,0.01,0.02,meow" for split in ALL] + ["train-dog.wav,,,", "test-dog.wav,0,0.05,bark"]
    targets = task_targets(read_corpus(sound_corpus(tmp_path, rows)), "meow", TaskKind.FRAMES)
    assert isinstance(targets, FrameTargets)
    assert targets.label_set == ("absent", "present")
    np.testing.assert_array_equal(targets.labelled, [True, True, True, False, True, True])
    assert targets.regions == (((0.01, 0.02),), (), ((0.01, 0.02),), (), ((0.01, 0.02),), ())
    assert targets.class_counts == {
        Split.TRAIN: {"absent": 1, "present": 1},
        Split.VALIDATION: {"present": 1},
        Split.TEST: {"absent": 1, "present": 1},
    }


def test_an_event_that_is_not_there_or_not_everywhere(tmp_path: Path) -> None:
    rows = ["train-cat.wav,0.01,0.02,meow", "validation-cat.wav,,,"]
    corpus = read_corpus(sound_corpus(tmp_path, rows), "zoo")
    assert messages(corpus, "bark", TaskKind.FRAMES) == ["zoo has no event 'bark' in its segments; there are 'meow'"]
    assert messages(corpus, "meow", TaskKind.FRAMES) == [
        "meow of zoo: the event sounds in no clip of the split validation",
        "meow of zoo: no clip of the split test is annotated",
    ]


def test_without_segments_there_are_no_events(tmp_path: Path) -> None:
    (message,) = messages(read_corpus(sound_corpus(tmp_path), "zoo"), "speech", TaskKind.FRAMES)
    assert message.endswith("there are none")


def test_a_target_of_the_other_kind_is_told_what_to_write(tmp_path: Path) -> None:
    rows = [f"{split}-cat.wav,0.01,0.02,meow" for split in ALL]
    corpus = read_corpus(sound_corpus(tmp_path, rows), "zoo")
    assert messages(corpus, "meow") == [
        "zoo has no label column 'meow'; 'meow' is an event of its segments: write kind: frames or events"
    ]
    assert messages(corpus, "animal", TaskKind.FRAMES) == [
        "zoo has no event 'animal' in its segments; 'animal' is a label column: write kind: clip, tags or value"
    ]
