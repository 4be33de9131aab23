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
