"""The benchmark of scale: its parts that need no Ray."""

import json
from pathlib import Path

import pytest
from benchmarks.scale import Load, _steady_rate, main, write_ledger

from taskgraft.search.store import Store, sqlite_url
from taskgraft.search.study.trial import Training
from taskgraft.space.tree import BranchTree


def test_a_simulated_training_measures_each_of_its_tasks() -> None:
    load = Load(tasks=3, clips=50)
    found = load.measure(Training(BranchTree.flat(load.spec().task_names[:2], 4, 8)), "here:1")
    assert found.metrics == {"t00": 0.77, "t01": 0.77}
    assert list(found.outcomes) == ["t00", "t01"]
    assert len(found.weights or b"") == load.weights


def test_every_write_is_in_the_ledger(tmp_path: Path) -> None:
    url = sqlite_url(tmp_path / "scale.db")
    found = write_ledger(Load(tasks=2, clips=50), url, 6, 3)
    assert [one.trials for one in found] == [3, 6]
    with Store(url) as store:
        (study,) = store.list_studies().items
        assert store.ledger(study.id).trial_count() == 6


def test_the_rate_is_that_of_the_middle() -> None:
    ends = [*range(0, 100, 10), *range(100, 130), *range(130, 230, 10)]
    assert _steady_rate(ends) == pytest.approx(1.0)


def test_the_ledger_alone(capsys: pytest.CaptureFixture[str]) -> None:
    main(["--workers", "0", "--writes", "8"])
    found = json.loads(capsys.readouterr().out)
    assert found["trials"] is None
    assert [one["trials"] for one in found["writes"]] == [2, 4, 6, 8]
