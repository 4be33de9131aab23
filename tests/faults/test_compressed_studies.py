"""A real study that makes its tree smaller: killed between its rounds and resumed, exported, and read back."""

import json
from pathlib import Path

import numpy as np
import onnxruntime
import pytest

from taskgraft.api.comparisons import begun
from taskgraft.evaluators import bundle
from taskgraft.evaluators.prediction import load_bundle
from taskgraft.search.comparison.beginning import check_request
from taskgraft.search.running.artifacts import artifacts_dir
from taskgraft.search.store import Store
from taskgraft.search.study.spec import StudySpec
from taskgraft.search.study.states import State
from taskgraft.space.tree import BranchTree
from tests.faults.killing import run_until_killed
from tests.faults.studies import lenient_spec, new_folder, open_store, take

TASKS = ("pitch", "loud", "shape")
FILES = (bundle.WEIGHTS, bundle.ONNX, bundle.QUANTISED, bundle.TREE, bundle.METRICS, bundle.STUDY, bundle.LABELS)
SEARCHED = 3 + 2
"""Baselines, the probe of the whole tree, and the whole tree."""
ROUNDS = 2
SHARED = BranchTree.flat(TASKS, 8, 8)
COLUMNS = BranchTree.flat(TASKS, 0, 8)


def spec() -> StudySpec:
    training = {"epochs": 8, "batch_size": 12, "learning_rate": 0.005}
    steps = [{"name": "lt4rec", "size": 0.8}, "int8"]
    return lenient_spec(strategy="groups", training=training, confirm=0, compression=steps)


def files(folder: Path, study: str) -> dict[str, bytes]:
    return {name: (artifacts_dir(folder, study) / name).read_bytes() for name in FILES}


def finish(store: Store, folder: Path, study: str) -> dict[str, bytes]:
    ended = take(store, store.get_study(study), folder).run()
    assert (ended.state, ended.reason) == (State.SUCCEEDED, None)
    return files(folder, study)


@pytest.mark.slow(40)
@pytest.mark.usefixtures("one_ray")
def test_a_study_goes_on_between_its_rounds_and_exports_what_pruning_and_eight_bits_left(tmp_path: Path) -> None:
    whole, killed = (new_folder(tmp_path / name) for name in ("whole", "killed"))
    with open_store(whole) as store:
        study = store.create_study(spec())[0].id
        undisturbed = finish(store, whole, study)
        trials = store.ledger(study).trials()
        assert len(trials) == SEARCHED + len(TASKS) * ROUNDS + 1
        assert [trial.training.pruning is not None for trial in trials] == [False] * SEARCHED + [True] * 7
        check_bundle(whole, study, undisturbed)
        comparison = begun(store, store.get_study(study), check_request(spec(), ["tree"]))
        assert comparison.tree == SHARED, "rows are held against the tree that the search found"
    with open_store(killed) as store:
        study = store.create_study(spec())[0].id
        run_until_killed(killed, study, f"record:{SEARCHED + len(TASKS) + 1}")
        assert len(store.ledger(study).trials()) == SEARCHED + len(TASKS), "one round of each task is known"
        assert finish(store, killed, study) == undisturbed
        assert len(store.ledger(study).trials()) == SEARCHED + len(TASKS) * ROUNDS + 1


def check_bundle(folder: Path, study: str, content: dict[str, bytes]) -> None:
    tree, metrics = json.loads(content[bundle.TREE]), json.loads(content[bundle.METRICS])
    found = metrics["compression"]
    assert BranchTree.from_json(tree["root"], 8) == COLUMNS
    assert found["steps"] == [{"name": "lt4rec", "size": 0.8, "rewind": 0.0}, "int8"]
    assert (found["pruned"], found["reason"]) == (True, None)
    assert found["pruned_ar_validation"] == pytest.approx(metrics["ar"]["validation"])
    assert tree["parameters"] == found["nominal_parameters"] < 0.81 * found["parameters"]
    assert found["packed_bytes"] < found["stored_bytes"]
    eight = found["int8"]
    assert 3 * eight["weight_bytes"] < eight["float_weight_bytes"]
    assert set(eight["tasks"]) == set(TASKS)
    loaded = load_bundle(artifacts_dir(folder, study))
    answers = loaded.predict(folder / "beeps" / "4.wav")
    assert set(answers) == set(TASKS)
    plain, small = (
        onnxruntime.InferenceSession(content[name], providers=["CPUExecutionProvider"])
        for name in (bundle.ONNX, bundle.QUANTISED)
    )
    names = [[output.name for output in session.get_outputs()] for session in (plain, small)]
    assert names[0] == names[1]
    (given,) = small.get_inputs()
    noise = np.random.default_rng(0).normal(0, 0.1, (2, loaded.preprocessing.samples)).astype(np.float32)
    said = [session.run(None, {given.name: noise}) for session in (plain, small)]
    for exact, rounded in zip(*said, strict=True):
        assert exact.shape == rounded.shape
        assert np.abs(exact - rounded).max() < 0.3
