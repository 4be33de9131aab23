"""Comparisons over HTTP: made from a study that has succeeded, planned, listed, and refused."""

from typing import Any

import httpx
import pytest

from taskgraft.api.client import Client
from taskgraft.errors import Conflict, InvalidInput
from taskgraft.search.study.comparison_table import ComparisonTable, Refusal, Row, RowPart, RowTask
from taskgraft.search.study.states import Stage, State
from taskgraft.space.document import tree_document
from taskgraft.space.templates.registry import get_template
from taskgraft.space.tree import BranchTree
from tests.api.conftest import LEASE, Api
from tests.api.test_http_results import DECIDED
from tests.search.results import RESULT
from tests.search.store.samples import lease_of

TREE = BranchTree.flat(("gender", "word", "age_group"), 6, 8)


def finish(api: Api, **changes: Any) -> str:
    """A study that has succeeded; its tree shares six blocks."""
    study_id = api.post(**changes)
    api.run(study_id, Stage.PAIRS)
    api.record_pairs(study_id, DECIDED)
    document = tree_document(TREE, get_template("cnn8"), 0.1)
    api.store.finish(lease_of(api.store, study_id), State.SUCCEEDED, result=RESULT, tree=document)
    return study_id


@pytest.fixture(scope="module")
def succeeded(api: Api) -> str:
    return finish(api)


def post(api: Api, study_id: str, key: str | None = None, **asked: Any) -> httpx.Response:
    headers = {"Idempotency-Key": key} if key else {}
    return api.http.post(f"/v1/studies/{study_id}/comparisons", json=asked, headers=headers)


def test_a_comparison_is_a_study_of_its_own(api: Api, succeeded: str) -> None:
    answer = post(api, succeeded, systems=["flat", "independent"], seeds=2)
    assert answer.status_code == 202, answer.text
    made = answer.json()
    assert answer.headers["location"] == f"/v1/studies/{made['id']}"
    assert (made["state"], made["parent"], made["name"]) == ("queued", succeeded, "speaker-comparison")
    assert made["comparison"] == {
        "systems": ["independent", "flat"], "seeds": 2, "group_budget": None, "groups": 1, "nuisance": None,
        "nuisance_dataset": None, "table": None,
    }  # fmt: skip
    parent = api.http.get(f"/v1/studies/{succeeded}").json()
    assert parent["comparison"] is None
    assert made["spec"]["tasks"] == parent["spec"]["tasks"]
    assert made["spec"]["strategy"] == "exhaustive"
    listed = api.http.get(f"/v1/studies/{succeeded}/comparisons").json()["items"]
    assert made["id"] in [study["id"] for study in listed]
    assert api.http.get(f"/v1/studies/{made['id']}/comparisons").json() == {"items": [], "next_cursor": None}


def test_all_systems_are_the_default_and_a_body_may_be_empty(api: Api, succeeded: str) -> None:
    made = post(api, succeeded).json()["comparison"]
    assert made["systems"] == [
        "independent",
        "flat",
        "tree",
        "splits",
        "hoa",
        "tag",
        "algorithms",
        "weightings",
        "compression",
    ]
    assert made["seeds"] == 1


def test_what_was_compared_is_kept(api: Api, succeeded: str) -> None:
    made = api.store.get_study(post(api, succeeded, group_budget=10**6).json()["id"])
    assert made.comparison is not None
    assert made.comparison.tree == TREE
    assert made.comparison.groups == 3
    assert made.comparison.weights[("word", "age_group")] > 0
    assert made.comparison.effort.trainings == 3 + len(DECIDED)


def test_a_dry_run_says_what_it_costs_and_queues_nothing(api: Api, succeeded: str) -> None:
    before = len(api.store.list_studies(limit=500).items)
    with Client(api.url) as client:
        plan = client.plan_comparison(succeeded, ["all"])
    by_name = {system["system"]: system for system in plan["systems"]}
    assert by_name["independent"]["trainings_at_most"] == 0
    assert by_name["flat"]["trainings_at_least"] == 3
    assert by_name["splits"]["trainings_at_least"] == 1  # the other splits share no more than the tree
    assert (by_name["hoa"]["trainings_at_least"], by_name["hoa"]["trainings_at_most"]) == (3, 4)
    assert plan["baselines"] == 3
    assert plan["trainings_at_least"] < plan["trainings_at_most"]
    assert plan["known"] >= 3
    assert 0 < plan["cpu_seconds_at_least"] <= plan["cpu_seconds_at_most"]
    assert len(api.store.list_studies(limit=500).items) == before


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"systems": ["lhth"]}, "systems"),
        ({"systems": ["flat-5"]}, "systems"),
        ({"systems": []}, "systems"),
        ({"systems": "flat"}, "systems"),
        ({"seeds": 0}, "seeds"),
        ({"seeds": "3"}, "seeds"),
        ({"seeds": True}, "seeds"),
        ({"group_budget": 0}, "group_budget"),
        ({"epochs": 3}, "epochs"),
        ({"nuisance": "colour"}, "nuisance"),
        ({"nuisance": "gender"}, "nuisance"),
        ({"nuisance": ""}, "nuisance"),
        ({"nuisance": 3}, "nuisance"),
        ({"nuisance": "dialect", "nuisance_dataset": "birds"}, "nuisance_dataset"),
        ({"nuisance_dataset": "demo-speech"}, "nuisance_dataset"),
    ],
)
def test_a_bad_request_is_refused_by_its_field(api: Api, succeeded: str, body: dict[str, Any], field: str) -> None:
    before = len(api.store.list_studies(limit=500).items)
    answer = post(api, succeeded, **body)
    assert answer.status_code == 422, answer.text
    assert [error["field"] for error in answer.json()["errors"]] == [field]
    assert len(api.store.list_studies(limit=500).items) == before


def test_a_dry_run_refuses_a_column_that_is_not_there(api: Api, succeeded: str) -> None:
    with Client(api.url) as client, pytest.raises(InvalidInput, match=r"nuisance: .*no label column 'colour'"):
        client.plan_comparison(succeeded, ["adversarial"], nuisance="colour")


def test_a_label_gives_the_row_adversarial(api: Api, succeeded: str) -> None:
    with Client(api.url) as client:
        (without,) = client.plan_comparison(succeeded, ["adversarial"])["systems"]
        assert "over HTTP: nuisance" in without["refusal"]
        label: dict[str, Any] = {"nuisance": "dialect", "nuisance_dataset": "demo-speech"}
        (system,) = client.plan_comparison(succeeded, ["adversarial"], **label)["systems"]
        assert (system["refusal"], system["trainings_at_least"]) == (None, 1)
        made = client.create_comparison(succeeded, ["adversarial"], **label, idempotency_key="against dialect")
        assert {name: made["comparison"][name] for name in label} == label
        assert "nuisance" not in made["spec"]
        again = client.create_comparison(succeeded, ["adversarial"], **label, idempotency_key="against dialect")
        assert again["id"] == made["id"]
    assert api.store.get_study(made["id"]).spec.nuisance == ("dialect", "demo-speech")


def test_an_unknown_system_is_answered_with_those_that_there_are(api: Api, succeeded: str) -> None:
    with (
        Client(api.url) as client,
        pytest.raises(InvalidInput, match="all, independent, flat, flat-4, flat-6, flat-8, tree"),
    ):
        client.create_comparison(succeeded, ["lhth"])


@pytest.mark.parametrize("state", [state for state in State if state is not State.SUCCEEDED])
def test_a_study_that_has_not_succeeded_is_not_compared(api: Api, state: State) -> None:
    study_id = api.post(name=f"is-{state.value}")
    if state is not State.QUEUED:
        api.store.acquire_study(study_id, "runner", LEASE)
    if state is State.CANCELLING:
        api.store.cancel_study(study_id)
    elif state not in (State.QUEUED, State.RUNNING):
        api.store.finish(lease_of(api.store, study_id), state)
    answer = post(api, study_id)
    assert answer.status_code == 409, answer.text
    assert state.value in answer.json()["detail"]


def test_no_study_no_comparison(api: Api) -> None:
    assert post(api, "0123456789abcdef").status_code == 404
    assert api.http.get("/v1/studies/0123456789abcdef/comparisons").status_code == 404


def test_a_comparison_has_no_tree_no_other_threshold_and_no_comparison(api: Api, succeeded: str) -> None:
    made = post(api, succeeded, systems=["tree"]).json()["id"]
    assert api.http.get(f"/v1/studies/{made}/tree").status_code == 409
    assert api.http.post(f"/v1/studies/{made}/trees", json={"ar_threshold": 0.05}).status_code == 409
    answer = post(api, made)
    assert answer.status_code == 409
    assert "is a comparison itself" in answer.json()["detail"]


def test_a_repeated_request_with_its_key_gives_the_same_comparison(api: Api, succeeded: str) -> None:
    first = post(api, succeeded, "a comparison", systems=["flat"])
    assert first.status_code == 202
    assert post(api, succeeded, "a comparison", systems=["flat"]).json()["id"] == first.json()["id"]
    for other in (
        {"systems": ["flat", "tree"]},
        {"systems": ["flat"], "seeds": 2},
        {"systems": ["flat"], "group_budget": 1},
        {"systems": ["flat"], "nuisance": "dialect"},
    ):
        answer = post(api, succeeded, "a comparison", **other)
        assert answer.status_code == 422
        assert "Idempotency-Key" in answer.text
    assert post(api, finish(api), "a comparison", systems=["flat"]).status_code == 422


def test_its_table_is_there_once_it_has_succeeded(api: Api, succeeded: str) -> None:
    made = post(api, succeeded, systems=["independent", "hoa"]).json()["id"]
    task = RowTask("gender", "accuracy", 0.9, (0.8, 0.95), None)
    part = RowPart(("gender",), ("gender",), BranchTree.flat(["gender"], 8, 8).to_json())
    row = Row(
        "independent", "independent", (task,), 0.0, (0.0, 0.0), 10, 40, 1000, 1, 3, 4.5, (part,),
        nominal_parameters=9, packed_bytes=38,
    )  # fmt: skip
    table = ComparisonTable(0.1, (row,), (Refusal("hoa", "too many tasks"),), ("one seed",))
    api.store.acquire_study(made, "runner", LEASE)
    facts = api.store.get_study(made).facts
    api.store.set_facts(lease_of(api.store, made), {**facts, "comparison_table": table.to_json()})
    assert api.http.get(f"/v1/studies/{made}").json()["comparison"]["table"] is None
    api.store.finish(lease_of(api.store, made), State.SUCCEEDED)
    shown = api.http.get(f"/v1/studies/{made}").json()["comparison"]["table"]
    assert ComparisonTable.from_json(shown) == table


def test_a_deleted_study_leaves_its_comparisons(api: Api) -> None:
    study_id = finish(api)
    with Client(api.url) as client:
        made = client.create_comparison(study_id, ["flat"], seeds=1, idempotency_key="of a study that goes")
        other = client.create_comparison(study_id, ["flat"], seeds=2)
        assert [one["id"] for one in client.comparisons(study_id)] == [made["id"], other["id"]]
        first = api.http.get(f"/v1/studies/{study_id}/comparisons", params={"limit": 1}).json()
        rest = api.http.get(f"/v1/studies/{study_id}/comparisons", params={"cursor": first["next_cursor"]}).json()
        assert [one["id"] for one in first["items"] + rest["items"]] == [made["id"], other["id"]]
        assert rest["next_cursor"] is None
        client.delete(study_id)
        assert client.study(made["id"])["parent"] == study_id
        with pytest.raises(Conflict):
            client.create_comparison(made["id"])
