"""What is found about a study before anything is trained, and every fault of its data at once."""

from pathlib import Path

import numpy as np
import pytest

from taskgraft.errors import InvalidInput
from taskgraft.evaluators.datasets.splits import Split
from taskgraft.search.study.preparation import prepare, tasks_from_facts, to_facts
from taskgraft.search.study.spec import StudySpec
from taskgraft.space.tasks import Task, TaskKind
from tests.search.corpora import beeps_spec, write_beeps


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("prepared")
    write_beeps(folder / "beeps")
    lines = (folder / "beeps/manifest.csv").read_text().splitlines()
    untested = [line.replace(",test,low", ",test,").replace(",test,high", ",test,") for line in lines]
    (folder / "beeps/untested.csv").write_text("\n".join(untested))
    (folder / "broken.csv").write_text("path,split\n../out.wav,train\nx.wav,sometimes\n")
    return folder


def study(*tasks: tuple[str, str, str], kind: str = "clip") -> StudySpec:
    columns = [{"name": name, "dataset": dataset, "target": target, "kind": kind} for name, dataset, target in tasks]
    return StudySpec.parse({"ar_threshold": 0.02, "tasks": columns})


def faults(spec: StudySpec, folder: Path, base: Path | None) -> dict[str, str]:
    with pytest.raises(InvalidInput) as caught:
        prepare(spec, data_dir=folder / "data", base=base)
    return {fault.where: fault.message for fault in caught.value.faults}


def test_tasks_and_their_labels_are_found(folder: Path) -> None:
    prepared = prepare(beeps_spec(), data_dir=folder / "data", base=folder)
    assert prepared.tasks == tuple(Task(name, TaskKind.CLIP, 2) for name in ("pitch", "loud", "shape"))
    assert list(prepared.corpora) == ["beeps/manifest.csv"]
    assert prepared.labelled[0].targets.label_set == ("high", "low")
    assert np.count_nonzero(prepared.labelled[0].targets.labelled) == 60
    assert prepared.labelled[2].targets.class_counts[Split.TEST] == {"sine": 8, "square": 4}


def test_fingerprints_change_with_the_audio(tmp_path: Path) -> None:
    write_beeps(tmp_path / "beeps", 40)
    prepared = prepare(beeps_spec(), data_dir=tmp_path, base=tmp_path)
    before = prepared.fingerprints()
    assert before == prepare(beeps_spec(), data_dir=tmp_path, base=tmp_path).fingerprints()
    (tmp_path / "beeps/7.wav").write_bytes((tmp_path / "beeps/8.wav").read_bytes())
    assert prepared.fingerprints() != before
    (tmp_path / "beeps/7.wav").unlink()
    with pytest.raises(InvalidInput, match=r"7\.wav"):
        prepared.fingerprints()


def test_all_faults_of_all_tasks_are_told_at_once(folder: Path) -> None:
    spec = study(
        ("fine", "beeps/manifest.csv", "pitch"),
        ("unknown", "birds", "species"),
        ("column", "beeps/manifest.csv", "age"),
        ("empty", "beeps/untested.csv", "pitch"),
        ("broken", "broken.csv", "pitch"),
        ("again", "birds", "species"),
    )
    found = faults(spec, folder, folder)
    assert set(found) == {"tasks.1.dataset", "tasks.2.target", "tasks.3.target", "tasks.4.dataset"}
    assert "demo-speech" in found["tasks.1.dataset"]
    assert "'birds'" in found["tasks.1.dataset"]
    assert "no label column 'age'; there are 'loud', 'pitch', 'shape'" in found["tasks.2.target"]
    assert "no clip of the split test has a label" in found["tasks.3.target"]


def test_every_fault_of_a_manifest_says_where_it_stands(folder: Path) -> None:
    with pytest.raises(InvalidInput) as caught:
        prepare(study(("a", "broken.csv", "pitch")), data_dir=folder, base=folder)
    messages = [str(fault) for fault in caught.value.faults]
    assert [message.split(": ")[:2] for message in messages] == [
        ["tasks.0.dataset", "broken.csv:2"],
        ["tasks.0.dataset", "broken.csv:3"],
    ]


def test_an_event_that_nobody_marked_is_named(folder: Path) -> None:
    found = faults(study(("vad", "beeps/manifest.csv", "speech"), kind="frames"), folder, folder)
    assert "no event 'speech'" in found["tasks.0.target"]


def test_without_a_base_only_registered_names_are_data_sets(folder: Path) -> None:
    found = faults(beeps_spec(), folder, None)
    assert list(found) == ["tasks.0.dataset"]
    assert "got 'beeps/manifest.csv'" in found["tasks.0.dataset"]


def test_facts_bring_the_tasks_back() -> None:
    tasks = (Task("vad", TaskKind.FRAMES, 2), Task("word", TaskKind.CLIP, 35))
    assert tasks_from_facts({"tasks": to_facts(tasks)}) == tasks
    assert to_facts(tasks)[0] == {"name": "vad", "kind": "frames", "classes": 2}
    assert tasks_from_facts({}) is None
