"""The recordings beside the repository: real speech, where there is a copy."""

from pathlib import Path

import pytest

from taskgraft.evaluators.datasets.check import check_manifest
from taskgraft.evaluators.datasets.manifest import read_corpus
from taskgraft.evaluators.datasets.splits import Split
from taskgraft.evaluators.kinds.frames import FrameTargets
from taskgraft.evaluators.kinds.registry import task_targets
from taskgraft.space.tasks import TaskKind

from .corpora import faults_of

DATA = Path(__file__).parents[3].parent / "shared" / "data"


def manifest_of(name: str) -> Path:
    manifest = DATA / name / "manifest.csv"
    if not manifest.exists():
        pytest.skip(f"the recordings of {name} are not beside the repository (../shared/data)")
    return manifest


def test_fsdd_is_sound() -> None:
    report = check_manifest(manifest_of("fsdd"))
    assert report.faults == ()
    assert report.warnings == ()
    assert (report.clips, report.sample_rates) == (3_000, {8_000: 3_000})
    assert report.splits == {Split.TRAIN: 2_400, Split.VALIDATION: 300, Split.TEST: 300}
    assert {name: column.distinct for name, column in report.labels.items()} == {"digit": 10, "speaker": 6, "accent": 4}


def test_emodb_is_sound_but_its_speakers_can_not_be_learned() -> None:
    report = check_manifest(manifest_of("emodb"))
    assert report.faults == ()
    assert report.clips == 535
    assert report.seconds == pytest.approx(1_070, abs=1)
    doubtful = {warning.split("'")[1] for warning in report.warnings}
    assert doubtful == {"age", "speaker"}
    assert report.events["speech"].seconds == pytest.approx(945, abs=1)


def test_emodb_targets() -> None:
    corpus = read_corpus(manifest_of("emodb"))
    assert len(task_targets(corpus, "emotion", TaskKind.CLIP).label_set) == 7
    speech = task_targets(corpus, "speech", TaskKind.FRAMES)
    assert isinstance(speech, FrameTargets)
    assert speech.labelled.sum() == len(corpus.annotated)
    faults = faults_of(lambda: task_targets(corpus, "speaker", TaskKind.CLIP))
    assert [fault.message for fault in faults] == [
        "speaker of emodb: train never shows what validation has: '13', '15'",
        "speaker of emodb: train never shows what test has: '08', '11'",
    ]
