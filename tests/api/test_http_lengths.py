"""A study with `training.epochs: auto`: what is shown of its length, and that only trainings of it count."""

from typing import Any

import pytest

from taskgraft.search.evidence.evidence import Evidence
from taskgraft.search.study.spec import StudySpec
from taskgraft.search.study.states import Stage
from taskgraft.space.tree import BranchTree
from tests.api.conftest import DEPTH, Api, body
from tests.search.store.samples import lease_of

TASKS = ("gender", "word", "age_group")


@pytest.fixture(scope="module")
def known(api: Api) -> str:
    """A study that chose 5 epochs: 10 gain nothing, and seeds agree. Pairs keep it at 8 blocks but gender and word."""
    study_id = api.post(training={"epochs": "auto"})
    api.run(study_id, Stage.PAIRS)
    for task in TASKS:
        for epochs, repeat in ((5, 0), (10, 0), (5, 1)):
            api.record(study_id, BranchTree.flat([task], DEPTH, DEPTH), {task: 80}, repeat, epochs)
    for pair, right in {("gender", "word"): 70, ("gender", "age_group"): 80, ("word", "age_group"): 80}.items():
        for depth, hits in ((8, right), (6, 80)):
            tree = BranchTree.flat(pair, depth, DEPTH)
            api.record(study_id, tree, dict(zip(pair, (80, hits), strict=True)), epochs=5)
    spec, trials = api.store.get_study(study_id).spec, api.store.ledger(study_id).trials()
    length = Evidence(spec, trials).length
    assert length
    facts = {**api.store.get_study(study_id).facts, "training_length": length.to_json()}
    api.store.set_facts(lease_of(api.store, study_id), facts)
    return study_id


def test_a_study_shows_its_length_and_why(api: Api, known: str) -> None:
    study = api.http.get(f"/v1/studies/{known}").json()
    assert study["spec"]["training"]["epochs"] == "auto"
    length = study["training_length"]
    assert (length["epochs"], length["chosen"]) == (5, True)
    (look,) = length["looks"]
    assert (look["epochs"], look["finding"]) == (5, "long enough")
    assert look["gains"]["word"]["share"] == 0
    assert look["spreads"].keys() == set(TASKS)


def test_a_study_that_says_its_epochs_has_no_length_to_show(api: Api) -> None:
    assert api.http.get(f"/v1/studies/{api.post()}").json()["training_length"] is None


def test_trials_say_their_epochs_and_are_compared_with_baselines_of_the_same(api: Api) -> None:
    study_id = api.post(training={"epochs": "auto"})
    alone, pair = BranchTree.flat(["gender"], DEPTH, DEPTH), BranchTree.flat(["gender", "word"], 8, DEPTH)
    for epochs, right in ((5, 80), (10, 90)):
        api.record(study_id, alone, {"gender": right}, epochs=epochs)
        api.record(study_id, BranchTree.flat(["word"], DEPTH, DEPTH), {"word": 80}, epochs=epochs)
    api.record(study_id, pair, {"gender": 72, "word": 80}, epochs=5)
    trials = api.http.get(f"/v1/studies/{study_id}/trials").json()["items"]
    assert [trial["epochs"] for trial in trials] == [5, 5, 10, 10, 5]
    assert trials[-1]["ar"] == pytest.approx(0.1)


def test_the_matrix_and_the_tree_are_those_of_the_length(api: Api, known: str) -> None:
    cells = api.http.get(f"/v1/studies/{known}/matrix").json()["cells"]
    ar = {(cell["task_a"], cell["task_b"], cell["depth"]): cell["ar"] for cell in cells}
    assert ar["gender", "word", 8] == pytest.approx(0.125)
    assert len(ar) == 6
    strict, loose = (
        api.http.get(f"/v1/studies/{known}/tree", params={"ar_threshold": threshold}).json()
        for threshold in (0.05, 0.5)
    )
    assert loose["root"]["blocks"] == [0, 8]
    assert strict["encoder_parameters"] > loose["encoder_parameters"]


def test_a_tree_for_another_threshold_has_the_same_length(api: Api, known: str) -> None:
    answer = api.http.post(f"/v1/studies/{known}/trees", json={"ar_threshold": 0.02})
    assert answer.status_code == 202, answer.text
    assert answer.json()["spec"]["training"]["epochs"] == 5


@pytest.mark.parametrize("epochs", [0, "soon", 1.5])
def test_bad_epochs_are_refused_with_one_clear_message(api: Api, epochs: Any) -> None:
    answer = api.http.post("/v1/studies", json=body(training={"epochs": epochs}))
    assert answer.status_code == 422
    (error,) = answer.json()["errors"]
    assert error["field"] == "training.epochs"
    assert error["message"] == f"a whole number from 1 to 10000, or auto; got {epochs!r}"


def test_a_dry_run_says_which_lengths_may_be_tried(api: Api) -> None:
    fixed, auto = (
        api.http.post("/v1/studies?dry_run=true", json=body(training={"epochs": epochs})).json()
        for epochs in (30, "auto")
    )
    assert fixed["epochs"] == [30]
    assert auto["epochs"] == [auto["epochs"][0] * 2**doubling for doubling in range(5)]
    assert auto["trials_at_least"] == fixed["trials_at_least"] + 2 * len(TASKS)
    assert auto["seconds_at_most"] > auto["seconds_at_least"]
    assert StudySpec.parse(body(training={})).training.epochs == "auto"
