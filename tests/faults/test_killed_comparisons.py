"""Comparisons whose runner is killed without warning: nothing is lost, nothing is trained twice."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from taskgraft.api.comparisons import begun
from taskgraft.search.comparison.beginning import check_request
from taskgraft.search.comparison.documents import FILES
from taskgraft.search.running.artifacts import artifacts_dir
from taskgraft.search.store import Store
from taskgraft.search.study.comparison import comparison_spec
from taskgraft.search.study.states import Stage, State
from taskgraft.search.study.study import Study
from tests.faults.killing import run_until_killed
from tests.faults.studies import lenient_spec, new_folder, open_store, take

pytestmark = [pytest.mark.slow(20), pytest.mark.usefixtures("one_ray")]

SYSTEMS = ("independent", "flat", "tree", "tag")
TRIALS = 3 + 2
"""Baselines, and flat sharing at two depths; tag has one network, which is flat sharing, too, as the tree is."""


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a study that has succeeded: 3 baselines, 3 pairs, the tree that shares everything."""
    folder = new_folder(tmp_path_factory.mktemp("finished") / "my data")
    with open_store(folder) as store:
        study = store.create_study(lenient_spec(confirm=0))[0]
        assert take(store, study, folder).run().state is State.SUCCEEDED
    return folder


def begin(store: Store) -> Study:
    """A comparison of the one study, queued."""
    (study,) = store.list_studies().items
    comparison = begun(store, study, check_request(study.spec, SYSTEMS))
    spec = comparison_spec(study.spec, study.epochs, study.device)
    return store.create_study(spec, parent=study.id, comparison=comparison)[0]


def table(study: Study) -> Any:
    """Return what a comparison found, without the seconds that it took."""
    assert study.comparison_table is not None, study.reason
    found = study.comparison_table.to_json()
    return json.loads(json.dumps({**found, "rows": [{**row, "seconds": 0} for row in found["rows"]]}))


@pytest.fixture(scope="module")
def undisturbed(finished: Path, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """What a comparison finds that nobody disturbs."""
    folder = tmp_path_factory.mktemp("undisturbed") / "my data"
    shutil.copytree(finished, folder)
    with open_store(folder) as store:
        ended = take(store, begin(store), folder).run()
        assert ended.state is State.SUCCEEDED, ended.reason
        taken_over = [trial for trial in store.ledger(ended.id).trials() if trial.taken_over_from]
        assert len(taken_over) == 3  # baselines; the tree of the study did not look ahead, as tag wants it to
        return table(ended)


def test_a_comparison_has_the_rows_that_were_asked_for(undisturbed: Any) -> None:
    assert [row["name"] for row in undisturbed["rows"]] == ["independent", "flat-4", "flat-8", "tree", "tag"]
    assert undisturbed["rows"][0]["ar"] == 0.0
    by_name = {row["name"]: row for row in undisturbed["rows"]}
    for figure in ("tasks", "ar", "ar_interval", "parameters", "stored_bytes", "macs_per_second"):
        assert by_name["tree"][figure] == by_name["flat-8"][figure] == by_name["tag"][figure]
    assert by_name["flat-8"]["trainings"] == 3 + 1
    assert by_name["tree"]["trainings"] == 3 + 3 + 1


@pytest.mark.parametrize("moments", [["record:5"], ["recorded:4", "table"]])
def test_a_killed_comparison_ends_as_one_that_was_not(
    finished: Path, tmp_path: Path, undisturbed: Any, moments: list[str]
) -> None:
    folder = tmp_path / "my data"
    shutil.copytree(finished, folder)
    with open_store(folder) as store:
        study = begin(store)
        known: tuple[Any, ...] = ()
        for moment in moments:
            run_until_killed(folder, study.id, moment)
            assert store.get_study(study.id).state is State.RUNNING
            trials = store.ledger(study.id).trials()
            assert [trial.training for trial in trials[: len(known)]] == [trial.training for trial in known]
            known = trials
        kept = {trial.training: trial.measurement and trial.measurement.seconds for trial in known}
        assert not (artifacts_dir(folder, study.id) / "comparison.csv").exists()

        ended = take(store, study, folder).run()
        assert (ended.state, ended.stage) == (State.SUCCEEDED, Stage.EXPORT), ended.reason
        trials = store.ledger(study.id).trials()
        assert len(trials) == len({trial.training for trial in trials}) == TRIALS
        again = {trial.training: trial.measurement and trial.measurement.seconds for trial in trials}
        assert {training: again[training] for training in kept} == kept  # what had ended was not trained again
        assert table(ended) == undisturbed
        assert sorted(path.name for path in artifacts_dir(folder, study.id).iterdir()) == list(FILES)
