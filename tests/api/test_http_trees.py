"""Trees at other thresholds: what is known without training, and studies that train what is missing."""

from typing import Any

import pytest

from taskgraft.api.tree_schemas import TreeView
from taskgraft.evaluators.algorithms.task_attention import TaskAttention
from taskgraft.search.study.states import Stage, State
from taskgraft.space.cost import tree_cost
from taskgraft.space.document import read_tree_document, tree_document
from taskgraft.space.tasks import Task, TaskKind
from taskgraft.space.template import Template
from taskgraft.space.templates.registry import get_template
from taskgraft.space.tree import BranchTree
from tests.api.conftest import LEASE, Api
from tests.api.test_http_comparisons import finish
from tests.api.test_http_results import DECIDED
from tests.search.store.samples import lease_of


@pytest.fixture(scope="module")
def known(api: Api) -> str:
    """A running study whose pairs are all decided at its threshold, 0.1."""
    study_id = api.post()
    api.run(study_id, Stage.PAIRS)
    api.record_pairs(study_id, DECIDED)
    return study_id


def tree(api: Api, study_id: str, threshold: float | None = None) -> Any:
    params = {} if threshold is None else {"ar_threshold": threshold}
    answer = api.http.get(f"/v1/studies/{study_id}/tree", params=params)
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_cells_that_were_not_asked_are_unknown_and_not_incompatible(api: Api, known: str) -> None:
    found = tree(api, known, 0.01)
    assert found["unknown"] == [
        {"task_a": "gender", "task_b": "age_group", "depths": [4, 6]},
        {"task_a": "word", "task_b": "age_group", "depths": [4]},
    ]
    assert found["trainings_needed"] == {"at_least": 2, "at_most": 3, "to_verify": 0}
    assert found["ar_threshold"] == 0.01
    reasons = {cause["reason"] for branching in found["branchings"] for cause in branching["because"]}
    assert "broke" in reasons


@pytest.mark.parametrize("threshold", [None, 0.1, 0.2])
def test_where_everything_was_asked_nothing_is_unknown(api: Api, known: str, threshold: float | None) -> None:
    found = tree(api, known, threshold)
    assert found["unknown"] == []
    assert (found["trainings_needed"]["at_least"], found["trainings_needed"]["at_most"]) == (0, 0)


def test_every_branching_names_what_forced_it(api: Api, known: str) -> None:
    (first, *_) = tree(api, known)["branchings"]
    assert (first["tasks"], first["blocks"]) == (["gender", "word", "age_group"], 6)
    (cause,) = first["because"]
    assert cause.pop("ar") == pytest.approx(0.25)
    assert cause == {
        "reason": "broke",
        "tasks": ["gender", "word"],
        "depth": 8,
        "at_most": False,
        "upper_end": None,
    }


def test_the_picture_says_what_was_not_asked(api: Api, known: str) -> None:
    params: dict[str, Any] = {"ar_threshold": 0.01, "format": "svg"}
    picture = api.http.get(f"/v1/studies/{known}/tree", params=params).text
    assert "2 pairs not asked at every depth" in picture
    assert "gender + age_group at 4, 6 blocks" in picture
    assert "lose 25.00 %" in picture
    assert "not asked" not in api.http.get(f"/v1/studies/{known}/tree", params={"format": "svg"}).text


def test_the_matrix_lists_what_has_no_cell(api: Api, known: str) -> None:
    matrix = api.http.get(f"/v1/studies/{known}/matrix").json()
    assert {"task_a": "gender", "task_b": "age_group", "depths": [4, 6]} in matrix["not_asked"]
    asked = len(matrix["cells"]) + sum(len(pair["depths"]) for pair in matrix["not_asked"])
    assert asked == 3 * 3


def test_a_tree_at_another_threshold_is_a_study_of_its_own(api: Api, known: str) -> None:
    answer = api.http.post(f"/v1/studies/{known}/trees", json={"ar_threshold": 0.05})
    assert answer.status_code == 202, answer.text
    child = answer.json()
    assert answer.headers["location"] == f"/v1/studies/{child['id']}"
    assert (child["state"], child["parent"], child["name"]) == ("queued", known, "speaker-q0.05")
    parent = api.http.get(f"/v1/studies/{known}").json()
    assert parent["parent"] is None
    assert child["spec"] == {**parent["spec"], "ar_threshold": 0.05, "name": "speaker-q0.05"}
    assert child["trainings"] == {"trained": 0, "taken_over": 0}


def test_a_repeated_request_with_its_key_gives_the_same_study(api: Api, known: str) -> None:
    def post(threshold: float, study: str = known) -> Any:
        headers = {"Idempotency-Key": "a tree"}
        return api.http.post(f"/v1/studies/{study}/trees", json={"ar_threshold": threshold}, headers=headers)

    assert post(0.03).json()["id"] == post(0.03).json()["id"]
    assert post(0.04).status_code == 422
    assert "Idempotency-Key" in post(0.04).text


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"ar_threshold": 1.0}, "ar_threshold"),
        ({"ar_threshold": -0.01}, "ar_threshold"),
        ({"ar_threshold": "0.05"}, "ar_threshold"),
        ({"ar_threshold": True}, "ar_threshold"),
        ({"ar_threshold": 0.1}, "ar_threshold"),
        ({}, "ar_threshold"),
        ({"ar_threshold": 0.05, "epochs": 3}, "epochs"),
    ],
)
def test_a_bad_threshold_is_refused_by_its_field(api: Api, known: str, body: dict[str, Any], field: str) -> None:
    before = len(list(api.store.list_studies().items))
    answer = api.http.post(f"/v1/studies/{known}/trees", json=body)
    assert answer.status_code == 422
    assert [error["field"] for error in answer.json()["errors"]] == [field]
    assert len(list(api.store.list_studies().items)) == before


def test_no_study_no_tree(api: Api) -> None:
    answer = api.http.post("/v1/studies/0123456789abcdef/trees", json={"ar_threshold": 0.05})
    assert answer.status_code == 404


@pytest.mark.parametrize(
    ("state", "status"),
    [
        (State.QUEUED, 409),
        (State.RUNNING, 202),
        (State.CANCELLING, 409),
        (State.PAUSED, 202),
        (State.SUCCEEDED, 202),
        (State.FAILED, 409),
        (State.CANCELLED, 202),
    ],
)
def test_the_state_of_the_study_decides(api: Api, state: State, status: int) -> None:
    study_id = api.post(name=f"is-{state.value}")
    if state is not State.QUEUED:
        api.store.acquire_study(study_id, "runner", LEASE)
    if state is State.CANCELLING:
        api.store.cancel_study(study_id)
    elif state not in (State.QUEUED, State.RUNNING):
        api.store.finish(lease_of(api.store, study_id), state)
    answer = api.http.post(f"/v1/studies/{study_id}/trees", json={"ar_threshold": 0.05})
    assert answer.status_code == status, answer.text
    if status == 409:
        assert state.value in answer.json()["detail"]


@pytest.mark.parametrize(
    "template",
    [
        get_template("cnn8"),
        get_template("cnn8", 0.5, "scene"),
        TaskAttention().template(get_template("cnn8", 0.5)),
    ],
)
def test_the_view_of_a_tree_has_all_that_its_size_follows_from(template: Template) -> None:
    tree, tasks = BranchTree.flat(["a", "b"], 5, 8), [Task(name, TaskKind.CLIP, 3) for name in "ab"]
    shown = TreeView.model_validate(tree_document(tree, template, 0.1, tasks)).model_dump(mode="json", by_alias=True)
    read = read_tree_document(shown)
    assert tree_cost(read.tree, read.template, tasks) == tree_cost(tree, template, tasks)
    if template == get_template("cnn8"):
        assert not {"width", "front_end", "gate"} & shown.keys()


def test_a_tree_of_a_kept_tradeoff_comes_without_its_reasons_if_nobody_wants_them(api: Api) -> None:
    study_id = finish(api, name="swept", strategy="exhaustive")
    points = api.http.get(f"/v1/studies/{study_id}/tradeoff").json()["items"]
    there = {"ar_threshold": points[0]["ar_threshold"]}
    short = api.http.get(f"/v1/studies/{study_id}/tree", params={**there, "explained": False}).json()
    whole = tree(api, study_id, there["ar_threshold"])
    assert (short["branchings"], short["trainings_needed"]) == ([], None)
    assert whole["branchings"] != []
    assert short["root"] == whole["root"]
