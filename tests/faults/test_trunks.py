"""A real search over trees whose models start from a trunk: killed, resumed, and taken over as a whole."""

from pathlib import Path

import pytest

from taskgraft.search.running import pipeline
from taskgraft.search.running.artifacts import artifacts_dir
from taskgraft.search.store import Store
from taskgraft.search.study.spec import StudySpec
from taskgraft.search.study.states import State
from tests.faults.killing import run_until_killed
from tests.faults.studies import lenient_spec, new_folder, open_store, take

pytestmark = pytest.mark.usefixtures("one_ray")

FILES = ("model.safetensors", "model.onnx", "tree.json", "metrics.json")
TREE = 1 + 3 + 1
"""The number of the candidate tree: the trunk and the baselines come before it."""
TRAINED = TREE + (1 + 3 + 1)
"""With a further seed of trunk, baselines and tree."""


def trunk_spec() -> StudySpec:
    training = {"epochs": 8, "batch_size": 12, "learning_rate": 0.005, "start": "trunk"}
    return lenient_spec(strategy="trees", training=training)


def bundle(folder: Path, study: str) -> dict[str, bytes]:
    return {name: (artifacts_dir(folder, study) / name).read_bytes() for name in FILES}


def finish(store: Store, folder: Path, study_id: str) -> int:
    """Run a study to its end, and return how many trainings it took over."""
    ended = take(store, store.get_study(study_id), folder).run()
    assert (ended.state, ended.reason) == (State.SUCCEEDED, None)
    trials = store.ledger(study_id).trials()
    assert [trial.training.repeat for trial in trials if trial.training.is_trunk] == [0, 100]
    assert trials[0].training.is_trunk
    assert len(trials) == TRAINED
    return ended.progress.taken_over


@pytest.mark.slow(40)
def test_a_search_over_trees_goes_on_from_its_trunk_and_another_takes_it_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, killed = (new_folder(tmp_path / name) for name in ("whole", "killed"))
    with open_store(whole) as store:
        first = store.create_study(trunk_spec())[0].id
        assert finish(store, whole, first) == 0
        undisturbed = bundle(whole, first)
    with open_store(killed) as store:
        study = store.create_study(trunk_spec())[0].id
        run_until_killed(killed, study, f"record:{TREE}")
        assert len(store.ledger(study).trials()) == TREE - 1
        assert finish(store, killed, study) == 0
        assert bundle(killed, study) == undisturbed
        card = (artifacts_dir(killed, study) / "README.md").read_text()
        assert "The tree and the baselines that it is held against started from one model of all tasks" in card

        def start(*_: object) -> None:
            raise AssertionError("there is nothing to train")

        monkeypatch.setattr(pipeline, "ray_session", start)
        second = store.create_study(trunk_spec())[0].id
        assert finish(store, killed, second) == TRAINED
        assert bundle(killed, second) == undisturbed
