"""What a study says it can decide, over a corpus on disk and trainings that are made up."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from taskgraft.errors import Unavailable
from taskgraft.search.evidence.evidence import Evidence
from taskgraft.search.running.outlook import Outlook
from taskgraft.search.study.preparation import PreparedStudy, prepare
from taskgraft.search.study.trial import Training
from taskgraft.space.tree import BranchTree
from tests.search.corpora import beeps_spec, write_beeps
from tests.search.worlds import finished, measurement


@pytest.fixture
def prepared(tmp_path: Path) -> PreparedStudy:
    write_beeps(tmp_path / "beeps")
    return prepare(beeps_spec(), data_dir=tmp_path, base=tmp_path)


def test_guesses_give_way_to_what_was_measured(prepared: PreparedStudy) -> None:
    kept: list[Mapping[str, Any]] = []
    outlook, evidence = Outlook(prepared, kept.append), Evidence(prepared.spec)
    outlook.update(evidence)
    assert [(task["task"], task["test_clips"], task["measured"]) for task in kept[0]["resolution"]] == [
        (name, 12, False) for name in ("pitch", "loud", "shape")
    ]
    assert len(kept[0]["warnings"]) == 3
    outlook.update(evidence)
    assert len(kept) == 1, "nothing changed"
    evidence.add(finished(Training(BranchTree.flat(["pitch"], 8, 8)), measurement({"pitch": 0.8}, 50)))
    outlook.update(evidence)
    pitch = kept[1]["resolution"][0]
    assert (pitch["baseline"], pitch["measured"]) == (pytest.approx(0.8), False)
    evidence.add(finished(Training(BranchTree.flat(["loud"], 8, 8)), measurement({"loud": 0.2}, 50)))
    pair = BranchTree.flat(["pitch", "loud"], 8, 8)
    evidence.add(finished(Training(pair), measurement({"loud": 0.2, "pitch": 0.8}, 50)))
    outlook.update(evidence)
    assert [task["task"] for task in kept[2]["resolution"]] == ["pitch", "shape"], "loud is at chance"
    assert kept[2]["resolution"][0]["measured"]
    assert kept[2]["resolution"][0]["disagreement"] == pytest.approx(2 / 50)


def test_a_database_that_is_away_gets_it_later(prepared: PreparedStudy) -> None:
    kept: list[Mapping[str, Any]] = []
    is_away = True

    def keep(facts: Mapping[str, Any]) -> None:
        if is_away:
            raise Unavailable("away")
        kept.append(facts)

    outlook, evidence = Outlook(prepared, keep), Evidence(prepared.spec)
    outlook.update(evidence)
    is_away = False
    outlook.update(evidence)
    assert len(kept) == 1


def test_a_schedule_that_is_too_short_is_warned_of_by_its_worst_task(tmp_path: Path) -> None:
    """Two seeds of loud lie 16 % apart; none of pitch do."""
    write_beeps(tmp_path / "beeps")
    spec = beeps_spec(repeats=2, ar_threshold=0.1)
    evidence, kept = Evidence(spec), list[Mapping[str, Any]]()
    outlook = Outlook(prepare(spec, data_dir=tmp_path, base=tmp_path), kept.append)
    for task, accuracies in {"pitch": (0.8, 0.8), "loud": (0.8, 0.64), "shape": (0.8, 0.8)}.items():
        for repeat, accuracy in enumerate(accuracies):
            said = measurement({task: accuracy}, 400)
            evidence.add(finished(Training(evidence.baseline(task), repeat), said))
        outlook.update(evidence)
    warning = next(text for text in kept[-1]["warnings"] if text.startswith("training:"))
    assert warning == (
        "training: 25 epochs are short: seeds of loud differ by 15.7 % where clips explain 1.8 %; "
        "try 50 or `epochs: auto`"
    )
    assert not any(text.startswith("training:") for text in kept[0]["warnings"])
    assert "training_length" not in kept[-1]


def test_seeds_that_confirm_a_tree_are_enough_for_a_warning(tmp_path: Path) -> None:
    write_beeps(tmp_path / "beeps")
    spec = beeps_spec(confirm=2, ar_threshold=0.1)
    evidence, kept = Evidence(spec), list[Mapping[str, Any]]()
    for repeat, accuracy in ((0, 0.8), (100, 0.64)):
        training = Training(evidence.baseline("loud"), repeat)
        evidence.add(finished(training, measurement({"loud": accuracy}, 400)))
    Outlook(prepare(spec, data_dir=tmp_path, base=tmp_path), kept.append).update(evidence)
    assert any("25 epochs are short: seeds of loud" in text for text in kept[-1]["warnings"])


def test_a_length_that_is_chosen_is_kept_with_its_reasons_and_warns_of_nothing(tmp_path: Path) -> None:
    write_beeps(tmp_path / "beeps")
    spec = beeps_spec(training={"epochs": "auto", "batch_size": 12})
    evidence, kept = Evidence(spec, lengths=(5, 10, 20, 40, 80)), list[Mapping[str, Any]]()
    outlook = Outlook(prepare(spec, data_dir=tmp_path, base=tmp_path), kept.append)
    outlook.update(evidence)
    assert kept[0]["training_length"]["epochs"] == 5
    for task in spec.task_names:
        for epochs, repeat in ((5, 0), (10, 0), (5, 1)):
            training = Training(evidence.baseline(task), repeat, epochs=epochs)
            evidence.add(finished(training, measurement({task: 0.8}, 400)))
    outlook.update(evidence)
    length = kept[-1]["training_length"]
    assert (length["epochs"], length["chosen"], length["looks"][0]["finding"]) == (5, True, "long enough")
    assert not any(text.startswith("training:") for text in kept[-1]["warnings"])
