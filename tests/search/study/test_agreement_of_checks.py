"""`datasets check`, `plan` and the start of a study find the same faults in the same manifests."""

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from taskgraft.errors import Fault, InvalidInput
from taskgraft.evaluators.datasets.check import check_manifest, check_tables
from taskgraft.search.study.outline import find_local_report, outline_study
from taskgraft.search.study.preparation import prepare
from taskgraft.search.study.spec import StudySpec
from tests.evaluators.datasets.corpora import sound_corpus

SOUND = [
    f"{split}-{label}.wav,{split},{label}" for split in ("train", "validation", "test") for label in ("cat", "dog")
]

TABLES: dict[str, tuple[Sequence[str], Sequence[str]]] = {
    "sound": (SOUND, ()),
    "a constant column is no fault": ([f"{row},x" for row in SOUND], ()),
    "path out of the folder": ([*SOUND, "../x.wav,train,cat"], ()),
    "path twice": ([*SOUND, SOUND[0]], ()),
    "unknown split": ([*SOUND, "x.wav,dev,cat"], ()),
    "no test clips": (SOUND[:4], ()),
    "no clips": ((), ()),
    "too many fields": ([*SOUND, "a,b,c,d,e,f"], ()),
    "segment of an unknown clip": (SOUND, ["x.wav,0,1,meow"]),
    "segment that ends before it starts": (SOUND, ["train-cat.wav,0.05,0.01,meow"]),
    "segments that overlap": (SOUND, ["train-cat.wav,0,0.05,meow", "train-cat.wav,0.04,0.06,meow"]),
    "three hundred faults": ([*SOUND, *(f"x{place}.wav,dev,cat" for place in range(300))], ()),
}
AUDIO = {
    "a clip that is missing": lambda folder: (folder / "test-cat.wav").unlink(),
    "a clip that is no recording": lambda folder: (folder / "test-cat.wav").write_text("no sound"),
    "a segment past its clip's end": lambda folder: (folder / "segments.csv").write_text(
        "path,onset,offset,event\ntrain-cat.wav,0,9,meow\n"
    ),
}


def spec() -> StudySpec:
    task = {"name": "animal", "dataset": "zoo/manifest.csv", "target": "animal"}
    return StudySpec.parse({"ar_threshold": 0.1, "tasks": [task]})


def faults_of(action: Callable[[], object]) -> tuple[list[Fault], int]:
    try:
        action()
    except InvalidInput as error:
        return list(error.faults), error.more
    return [], 0


def write(folder: Path, rows: Sequence[str], segments: Sequence[str]) -> Path:
    manifest = sound_corpus(folder, segments)
    header = "path,split,animal" if not rows or rows[0].count(",") == 2 else "path,split,animal,constant"
    manifest.write_text("\n".join([header, *rows]) + "\n")
    for row in rows:
        if (name := row.split(",")[0]).startswith("x"):
            (folder / name).write_bytes((folder / "test-cat.wav").read_bytes())
    return manifest


def assert_agreement(folder: Path, manifest: Path, is_about_tables: bool) -> list[Fault]:
    """Compare what the three say; returns the faults."""
    report = check_manifest(manifest)
    planned = faults_of(lambda: outline_study(spec(), lambda name: find_local_report(name, folder, check_manifest)))
    expected = [Fault("tasks.0.dataset", str(fault)) for fault in report.faults]
    assert planned == (expected, report.fault_count - len(expected))
    started = faults_of(lambda: prepare(spec(), data_dir=folder, base=folder))
    assert started == (planned if is_about_tables else ([], 0))
    assert check_tables(manifest).fault_count == (report.fault_count if is_about_tables else 0)
    return list(report.faults)


@pytest.mark.parametrize("name", TABLES)
def test_tables(tmp_path: Path, name: str) -> None:
    faults = assert_agreement(tmp_path, write(tmp_path / "zoo", *TABLES[name]), is_about_tables=True)
    assert bool(faults) == (name not in ("sound", "a constant column is no fault"))


@pytest.mark.parametrize("name", AUDIO)
def test_audio(tmp_path: Path, name: str) -> None:
    """A study's start reads tables alone; it finds unreadable clips when it makes their features."""
    manifest = write(tmp_path / "zoo", *TABLES["sound"])
    AUDIO[name](tmp_path / "zoo")
    assert len(assert_agreement(tmp_path, manifest, is_about_tables=False)) == 1


def test_a_target_that_can_not_be_one_is_told_alike(tmp_path: Path) -> None:
    rows = [row.replace(",test,cat", ",test,cow") for row in SOUND]
    write(tmp_path / "zoo", rows, ())
    planned = faults_of(lambda: outline_study(spec(), lambda name: find_local_report(name, tmp_path, check_manifest)))
    assert planned == faults_of(lambda: prepare(spec(), data_dir=tmp_path, base=tmp_path))
    assert "train never shows what test has: 'cow'" in planned[0][0].message
