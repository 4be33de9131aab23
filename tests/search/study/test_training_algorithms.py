"""Algorithms in study files: what is refused, at which field, before anything is trained."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from taskgraft.errors import InvalidInput
from taskgraft.evaluators.algorithms.hard import Hard
from taskgraft.search.study.preparation import prepare
from taskgraft.search.study.spec import StudySpec
from taskgraft.space.gates import NO_GATE, Over, TaskGate
from tests.search.corpora import beeps_spec, write_beeps
from tests.search.study.checked import said_before_training
from tests.search.worlds import make_spec

ORDER = ["t0", "t1"]


def faults_of(algorithm: object, **training: Any) -> dict[str, str]:
    with pytest.raises(InvalidInput) as caught:
        StudySpec.parse(
            {
                "ar_threshold": 0.02,
                "tasks": [{"name": name, "dataset": "d", "target": name} for name in ORDER],
                "training": {"algorithm": algorithm, **training},
            }
        )
    return {fault.where: fault.message for fault in caught.value.faults}


@pytest.mark.parametrize(
    ("algorithm", "where", "why"),
    [
        ("unknown", "training.algorithm", "there is soft, hard"),
        ({"name": "soft", "order": ORDER}, "training.algorithm.order", "takes no options: this is one of freeze"),
        ("freeze", "training.algorithm.order", "algorithm freeze needs it"),
        ({"name": "freeze", "order": ["t0"]}, "training.algorithm.order", "t1 is left out"),
        ({"name": "serial", "order": [*ORDER, "t9"]}, "training.algorithm.order", "got t9"),
        ("mean-teacher", "training.algorithm", "is for studies with a task of kind events"),
        ({"name": "cross-soft", "weight": "2"}, "training.algorithm.weight", "a number from 0 to 100; got '2'"),
        ("adversarial", "training.algorithm.nuisance", "algorithm adversarial needs it"),
        ({"name": "task-attention", "over": "bands"}, "training.algorithm.over", "one of step, channels; got 'bands'"),
        ({"name": "task-attention", "order": ORDER}, "training.algorithm.order", "this is one of freeze, serial"),
    ],
)
def test_what_does_not_fit_is_refused(algorithm: object, where: str, why: str) -> None:
    found = faults_of(algorithm)
    assert set(found) == {where}
    assert why in found[where]


def test_phases_take_no_trunk_and_no_patience() -> None:
    freeze = {"name": "freeze", "order": ORDER}
    assert "from scratch" in faults_of(freeze, start="trunk")["training.start"]
    found = faults_of(freeze, patience=2, schedule="constant", epochs=9)
    assert "one task after the other" in found["training.patience"]


def test_a_study_with_an_algorithm_is_written_and_read_back() -> None:
    for algorithm in ("hard", {"name": "freeze", "order": ["b", "a", "c"]}, {"name": "soft-sharing", "form": "l2"}):
        spec = make_spec(3, training={"algorithm": algorithm})
        assert StudySpec.parse(spec.to_plain()) == spec
        assert hash(StudySpec.parse(spec.to_plain())) == hash(spec)
    gated = make_spec(2, training={"algorithm": "task-attention"})
    assert StudySpec.parse(gated.to_plain()) == gated
    assert make_spec(2, training={"algorithm": "hard"}).training.algorithm == Hard()
    assert make_spec(2).to_plain()["training"]["algorithm"] == "soft"


def test_trainings_end_early_only_if_that_tells_something() -> None:
    specs = {name: make_spec(2, training={"algorithm": name}) for name in ("soft", "hard", "cross-soft")}
    assert all(spec.stops_early for spec in specs.values())
    assert {name: spec.training.gives_up for name, spec in specs.items()} == {
        "soft": True,
        "hard": False,
        "cross-soft": False,
    }
    assert not make_spec(2, training={"algorithm": {"name": "serial", "order": ["a", "b"]}}).stops_early


@pytest.mark.parametrize("more", [{}, {"width": 0.5}, {"template": "cnn-bilstm", "depths": [5]}])
def test_task_attention_puts_gates_before_all_heads(more: dict[str, Any]) -> None:
    plain = make_spec(2, **more)
    for over in Over:
        spec = make_spec(2, training={"algorithm": {"name": "task-attention", "over": over.value}}, **more)
        assert spec.encoder == replace(plain.encoder, gate=TaskGate(over))
        assert spec.encoder is spec.encoder, "it is made once"
        assert spec.stops_early
        assert not spec.training.gives_up
    assert plain.encoder.gate == make_spec(2, training={"algorithm": "hard"}, **more).encoder.gate == NO_GATE


def adversarial(folder: Path, tasks: int = 2, **options: str) -> dict[str, str]:
    """What the outline of a study and its start say about a nuisance: the same."""
    plain = beeps_spec().to_plain()
    training = {**plain["training"], "algorithm": {"name": "adversarial", **options}}
    spec = StudySpec.parse({**plain, "tasks": plain["tasks"][:tasks], "training": training})
    return said_before_training(spec, folder)


def test_a_nuisance_is_a_column_that_is_no_task(beeps: Path) -> None:
    assert adversarial(beeps, nuisance="shape") == {}
    assert adversarial(beeps, nuisance="shape", dataset="beeps/manifest.csv") == {}
    assert "loud is about" in adversarial(beeps, nuisance="loud")["training.algorithm.nuisance"]
    assert "no label column 'colour'" in adversarial(beeps, nuisance="colour")["training.algorithm.nuisance"]
    found = adversarial(beeps, nuisance="shape", dataset="birds")
    assert "beeps/manifest.csv; got birds" in found["training.algorithm.dataset"]


def test_only_what_train_says_of_a_nuisance_counts(tmp_path: Path) -> None:
    """Speakers, say, are others in validation and test."""
    write_beeps(tmp_path / "beeps")
    manifest = tmp_path / "beeps/manifest.csv"
    header, *rows = manifest.read_text().splitlines()
    speakers = [
        f"{row},{'ann' if place % 10 else 'bob'}" if ",train," in row else f"{row},eve"
        for place, row in enumerate(rows)
    ]
    manifest.write_text("\n".join([f"{header},speaker", *speakers]) + "\n")
    assert adversarial(tmp_path, tasks=3, nuisance="speaker") == {}
    plain = beeps_spec().to_plain()
    plain["training"]["algorithm"] = {"name": "adversarial", "nuisance": "speaker"}
    prepared = prepare(StudySpec.parse(plain), data_dir=tmp_path, base=tmp_path)
    assert prepared.nuisance is not None
    assert prepared.nuisance.targets.label_set == ("ann", "bob")
    assert [task.name for task in prepared.tasks] == ["pitch", "loud", "shape"]
    constant = [f"{row},ann" for row in rows]
    manifest.write_text("\n".join([f"{header},speaker", *constant]) + "\n")
    assert "it has 1" in adversarial(tmp_path, tasks=3, nuisance="speaker")["training.algorithm.nuisance"]


def test_a_nuisance_needs_its_dataset_if_there_are_several(tmp_path: Path) -> None:
    write_beeps(tmp_path / "one")
    write_beeps(tmp_path / "two")
    tasks = [
        {"name": name, "dataset": f"{name}/manifest.csv", "target": target}
        for name, target in (("one", "pitch"), ("two", "loud"))
    ]
    training = {"epochs": 2, "algorithm": {"name": "adversarial", "nuisance": "shape"}}
    spec = StudySpec.parse({"ar_threshold": 0.1, "tasks": tasks, "training": training})
    with pytest.raises(InvalidInput, match=r"training.algorithm.dataset: one of .* one/manifest.csv, two/manifest.csv"):
        prepare(spec, data_dir=tmp_path, base=tmp_path)
