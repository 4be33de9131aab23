"""A real search whose baselines teach: killed, resumed, exported, and taken over as a whole."""

import json
from pathlib import Path

import pytest

from taskgraft.api.comparisons import begun
from taskgraft.search.comparison.beginning import check_request
from taskgraft.search.running import pipeline
from taskgraft.search.running.artifacts import artifacts_dir
from taskgraft.search.store import Store
from taskgraft.search.study.comparison import comparison_spec
from taskgraft.search.study.comparison_table import Row
from taskgraft.search.study.spec import StudySpec
from taskgraft.search.study.states import State
from tests.faults.killing import run_until_killed
from tests.faults.studies import lenient_spec, new_folder, open_store, take

pytestmark = pytest.mark.usefixtures("one_ray")

FILES = ("model.safetensors", "model.onnx", "tree.json", "metrics.json")
TREE = 3 + 2
"""The number of the whole tree: the baselines and its probe come before it."""


def spec_of(algorithm: object) -> StudySpec:
    training = {"epochs": 8, "batch_size": 12, "learning_rate": 0.005, "algorithm": algorithm}
    return lenient_spec(strategy="groups", training=training, confirm=0)


def bundle(folder: Path, study: str) -> dict[str, bytes]:
    return {name: (artifacts_dir(folder, study) / name).read_bytes() for name in FILES}


def finish(store: Store, folder: Path, study_id: str) -> int:
    """Run a study to its end, and return how many trainings it took over."""
    ended = take(store, store.get_study(study_id), folder).run()
    assert (ended.state, ended.reason) == (State.SUCCEEDED, None)
    assert ended.tree is not None
    return ended.progress.taken_over


def compared(store: Store, folder: Path, study_id: str) -> dict[str, Row]:
    """The rows of a comparison of a plain study, for which everything is trained already."""
    study = store.get_study(study_id)
    comparison = begun(store, study, check_request(study.spec, ["tree", "tree-distil"]))
    spec = comparison_spec(study.spec, study.epochs, study.device)
    made = store.create_study(spec, parent=study.id, comparison=comparison)[0]
    ended = take(store, made, folder).run()
    assert ended.comparison_table, ended.reason
    assert [trial.taken_over_from is None for trial in store.ledger(made.id).trials()] == [False] * 5
    return {row.name: row for row in ended.comparison_table.rows}


@pytest.mark.slow(45)
def test_a_taught_search_goes_on_where_it_was_killed_and_is_taken_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, killed = (new_folder(tmp_path / name) for name in ("whole", "killed"))
    with open_store(whole) as store:
        plain = store.create_study(spec_of("soft"))[0].id
        assert finish(store, whole, plain) == 0
        first = store.create_study(spec_of("distil"))[0].id
        assert finish(store, whole, first) == 3, "its baselines are those of the plain study"
        undisturbed = bundle(whole, first)
        assert undisturbed["model.safetensors"] != bundle(whole, plain)["model.safetensors"]
        rows = compared(store, whole, plain)
        assert list(rows) == ["tree", "tree-distil"]
        reading = json.loads(undisturbed["metrics.json"])
        assert rows["tree-distil"].ar == pytest.approx(reading["ar"]["test"])
        assert rows["tree-distil"].parameters == rows["tree"].parameters
    with open_store(killed) as store:
        study = store.create_study(spec_of("distil"))[0].id
        run_until_killed(killed, study, f"recorded:{TREE - 1}")
        probe = store.ledger(study).trials()[-1]
        assert probe.training.is_probe
        assert probe.measurement
        assert probe.measurement.is_censored, "the whole tree goes on from its state"
        assert finish(store, killed, study) == 0
        tree = store.ledger(study).trials()[-1]
        assert tree.measurement
        assert tree.measurement.steps_before == probe.measurement.steps
        assert tree.measurement.remark is None
        assert bundle(killed, study) == undisturbed

        def start(*_: object) -> None:
            raise AssertionError("there is nothing to train")

        monkeypatch.setattr(pipeline, "ray_session", start)
        second = store.create_study(spec_of("distil"))[0].id
        assert finish(store, killed, second) == TREE
        assert bundle(killed, second) == undisturbed
