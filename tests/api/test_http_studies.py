"""POST, GET and DELETE of studies; cancel, pause, resume."""

from dataclasses import asdict, replace
from datetime import datetime

import pytest

from taskgraft.search.evidence.resolution import TestSize, resolve, warnings
from taskgraft.search.running.artifacts import Checkpoints, study_dir
from taskgraft.search.study import device
from taskgraft.search.study.result import Compressed, EightBits, FinalVerdict
from taskgraft.search.study.spec import StudySpec
from taskgraft.search.study.states import Stage, State
from taskgraft.search.study.study import Progress, RunningTrial
from taskgraft.search.study.trial import Training
from taskgraft.space.tree import BranchTree
from tests.api.conftest import LEASE, Api, body
from tests.search.results import RESULT
from tests.search.store.samples import lease_of


def test_a_posted_study_is_queued_and_found_at_its_location(api: Api) -> None:
    answer = api.http.post("/v1/studies", json=body())
    assert answer.status_code == 202
    study = answer.json()
    assert study["state"] == "queued"
    assert study["name"] == "speaker"
    assert study["stage"] is None
    assert study["progress"] == asdict(Progress())
    assert study["running"] == []
    assert (study["reason"], study["result"]) == (None, None)
    assert datetime.fromisoformat(study["created_at"]).tzinfo is not None
    assert answer.headers["location"] == f"/v1/studies/{study['id']}"
    assert api.http.get(answer.headers["location"]).json() == study


def test_the_study_as_posted_comes_back_with_its_defaults(api: Api) -> None:
    spec = api.http.get(f"/v1/studies/{api.post()}").json()["spec"]
    assert StudySpec.parse(spec) == StudySpec.parse(body())
    assert spec["strategy"] == "adaptive"


def test_a_dry_run_plans_and_queues_nothing(api: Api) -> None:
    before = api.http.get("/v1/studies", params={"limit": 500}).json()["items"]
    answer = api.http.post("/v1/studies", params={"dry_run": True}, json=body())
    assert answer.status_code == 200
    assert 4 <= answer.json()["trials_at_least"] <= answer.json()["trials_at_most"]
    assert "location" not in answer.headers
    assert api.http.get("/v1/studies", params={"limit": 500}).json()["items"] == before


@pytest.mark.parametrize("dry_run", [False, True])
def test_a_device_that_torch_does_not_know_is_refused(api: Api, dry_run: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(device, "torch_version", lambda: "2.13.0+cpu")
    answer = api.http.post("/v1/studies", params={"dry_run": dry_run}, json=body(training={"device": "cuda"}))
    assert answer.status_code == 422
    (fault,) = answer.json()["errors"]
    assert fault["field"] == "training.device"
    assert "cuda is not there" in fault["message"]


def test_a_study_that_is_cancelled_while_nobody_works_on_it_keeps_no_state(api: Api) -> None:
    study_id = api.post()
    checkpoints = Checkpoints(api.settings.data_dir, study_id)
    checkpoints.save_state(Training(BranchTree.flat("ab", 8, 8), is_probe=True), b"state")
    assert list(study_dir(api.settings.data_dir, study_id).rglob("*.state"))
    api.http.post(f"/v1/studies/{study_id}/cancel")
    assert not list(study_dir(api.settings.data_dir, study_id).rglob("*.state"))


def test_an_idempotency_key_replays_the_first_answer(api: Api) -> None:
    headers = {"Idempotency-Key": "once"}
    first = api.http.post("/v1/studies", json=body(), headers=headers)
    again = api.http.post("/v1/studies", json=body(strategy="adaptive"), headers=headers)
    assert again.status_code == 202
    assert again.json() == first.json()
    assert again.headers["location"] == first.headers["location"]


def test_an_idempotency_key_stands_for_one_body(api: Api) -> None:
    headers = {"Idempotency-Key": "another"}
    api.http.post("/v1/studies", json=body(), headers=headers)
    answer = api.http.post("/v1/studies", json=body(seed=1), headers=headers)
    assert answer.status_code == 422
    assert [fault["field"] for fault in answer.json()["errors"]] == ["Idempotency-Key"]


def test_an_empty_list_of_depths_is_refused(api: Api) -> None:
    answer = api.http.post("/v1/studies", json=body(depths=[]))
    assert answer.status_code == 422
    assert [fault["field"] for fault in answer.json()["errors"]] == ["depths"]


def test_a_running_study_shows_its_progress_and_its_trainings(api: Api) -> None:
    study_id = api.post()
    api.run(study_id, Stage.PAIRS)
    running = RunningTrial(("gender", "word"), 4, 0, 0.25, 3.0, "worker-1", ahead=True)
    progress = Progress(3, 9, 0.3, 40.0, taken_over=2)
    api.store.renew(lease_of(api.store, study_id), LEASE, progress=progress, running=[running])
    study = api.http.get(f"/v1/studies/{study_id}").json()
    assert (study["state"], study["stage"]) == ("running", "pairs")
    assert study["progress"] == asdict(progress)
    assert (study["progress"]["trials_done"], study["progress"]["trials_planned"]) == (3, 9)
    assert study["trainings"] == {"trained": 1, "taken_over": 2}
    shown = {"tasks": ["gender", "word"], "shared": 4, "repeat": 0, "fraction": 0.25, "seconds": 3.0}
    assert study["running"] == [shown | {"worker": "worker-1", "ahead": True, "trunk": False, "recipe": None}]


def test_a_finished_study_shows_its_result(api: Api) -> None:
    study_id = api.post()
    api.run(study_id, Stage.EXPORT)
    api.store.finish(lease_of(api.store, study_id), State.SUCCEEDED, reason="kept", result=RESULT)
    study = api.http.get(f"/v1/studies/{study_id}").json()
    assert (study["state"], study["reason"]) == ("succeeded", "kept")
    assert study["result"] == {
        "verdict": "not_refuted",
        "verified": False,
        "verified_for": 0.02501,
        "scope": "the weights in the bundle",
        "ar": 0.0102,
        "ar_interval": [0.0, 0.03],
        "tasks": [asdict(task) for task in RESULT.tasks],
        "retrained": {
            "seeds": 2,
            "ar_mean": 0.03,
            "ar_interval": [0.01, 0.08],
            "ars": [0.05, 0.01],
            "tasks": [
                {
                    "name": "gender",
                    "metric": "accuracy",
                    "baseline": 0.98,
                    "final": 0.95,
                    "reduction": 0.03,
                    "interval": [0.0, 0.06],
                }
            ],
        },
        "parameters": 40_000,
        "independent_parameters": 100_000,
        "macs_per_second": 5_000_000,
        "compression": None,
    }


@pytest.mark.parametrize(
    "eight_bits", [None, EightBits(30, 100, 0.02, FinalVerdict.VERIFIED), EightBits(3, 9, 0.0, None)]
)
def test_a_result_says_what_was_made_of_its_tree(api: Api, eight_bits: EightBits | None) -> None:
    made = replace(RESULT, compression=Compressed(("prune", "int8"), True, 100, 400, 300, eight_bits))
    study_id = api.post()
    api.run(study_id, Stage.EXPORT)
    api.store.finish(lease_of(api.store, study_id), State.SUCCEEDED, result=made)
    assert api.store.get_study(study_id).result == made
    assert api.http.get(f"/v1/studies/{study_id}").json()["result"]["compression"] == {
        "steps": ["prune", "int8"],
        "is_pruned": True,
        "parameters": 100,
        "stored_bytes": 400,
        "packed_bytes": 300,
        "eight_bits": eight_bits and asdict(eight_bits),
    }


def test_a_study_says_what_its_test_clips_can_decide(api: Api) -> None:
    study_id = api.post(ar_threshold=0.02)
    assert api.http.get(f"/v1/studies/{study_id}").json()["warnings"] == []
    api.run(study_id, Stage.PAIRS)
    found = resolve("word", TestSize(150, 30), 3, 0.02, baseline=0.97, disagreement=0.03)
    facts = {"resolution": [found.to_json()], "warnings": warnings([found], 0.02)}
    api.store.set_facts(lease_of(api.store, study_id), facts)
    study = api.http.get(f"/v1/studies/{study_id}").json()
    assert study["resolution"] == [found.to_json()]
    assert study["warnings"] == facts["warnings"]
    assert "word: 150 test clips in 30 groups are too few" in study["warnings"][0]


def test_pages_follow_each_other_newest_first(api: Api) -> None:
    posted = [api.post(name=f"page-{number}") for number in range(3)]
    first = api.http.get("/v1/studies", params={"limit": 2}).json()
    assert [study["id"] for study in first["items"]] == [posted[2], posted[1]]
    second = api.http.get("/v1/studies", params={"limit": 2, "cursor": first["next_cursor"]}).json()
    assert second["items"][0]["id"] == posted[0]


def test_the_last_page_has_no_cursor_and_a_state_filters(api: Api) -> None:
    study_id = api.post()
    api.http.post(f"/v1/studies/{study_id}/pause")
    page = api.http.get("/v1/studies", params={"state": "paused", "limit": 500}).json()
    assert page["next_cursor"] is None
    assert study_id in [study["id"] for study in page["items"]]
    assert {study["state"] for study in page["items"]} == {"paused"}


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"state": "asleep"}, "state"),
        ({"limit": "0"}, "limit"),
        ({"limit": "many"}, "limit"),
        ({"cursor": "?"}, "cursor"),
    ],
)
def test_a_query_that_breaks_a_rule_names_its_field(api: Api, query: dict[str, str], field: str) -> None:
    answer = api.http.get("/v1/studies", params=query)
    assert answer.status_code == 422
    assert [fault["field"] for fault in answer.json()["errors"]] == [field]


def test_pause_resume_cancel_move_a_study(api: Api) -> None:
    study_id = api.post()
    for verb, state in (("pause", "paused"), ("resume", "queued"), ("cancel", "cancelled")):
        answer = api.http.post(f"/v1/studies/{study_id}/{verb}")
        assert (answer.status_code, answer.json()["state"]) == (202, state)


def test_cancelling_a_running_study_waits_for_its_runner(api: Api) -> None:
    study_id = api.post()
    api.run(study_id, Stage.BASELINES)
    assert api.http.post(f"/v1/studies/{study_id}/cancel").json()["state"] == "cancelling"


@pytest.mark.parametrize("verb", ["cancel", "pause", "resume"])
def test_a_final_study_moves_no_more(api: Api, verb: str) -> None:
    study_id = api.post()
    api.http.post(f"/v1/studies/{study_id}/cancel")
    answer = api.http.post(f"/v1/studies/{study_id}/{verb}")
    assert answer.status_code == 409
    assert "cancelled" in answer.json()["detail"]


def test_a_deleted_study_is_gone_with_its_files(api: Api) -> None:
    study_id = api.post()
    folder = api.offer(study_id, {"metrics.json": b"{}"})
    assert api.http.get(f"/v1/studies/{study_id}/model").status_code == 200
    answer = api.http.delete(f"/v1/studies/{study_id}")
    assert (answer.status_code, answer.content) == (204, b"")
    assert api.http.get(f"/v1/studies/{study_id}").status_code == 404
    assert api.http.delete(f"/v1/studies/{study_id}").status_code == 404
    assert not folder.parent.exists()


def test_a_running_study_is_not_deleted(api: Api) -> None:
    study_id = api.post()
    folder = api.offer(study_id, {"metrics.json": b"{}"})
    api.run(study_id, Stage.PAIRS)
    assert api.http.delete(f"/v1/studies/{study_id}").status_code == 409
    assert folder.exists()


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ("zip", "compression"),
        ({"name": "lth", "size": 2}, "compression.size"),
        ([{"name": "prune", "rewind": 0.1}], "compression.0.rewind"),
        (["int8", "lth"], "compression"),
        ({"name": "lth", "size": 0.01}, "compression"),
        ({"name": "prune", "size": 0.01}, "compression"),
    ],
)
def test_compression_that_makes_no_sense_is_refused(given: object, field: str, api: Api) -> None:
    for path in ("/v1/studies", "/v1/studies?dry_run=true"):
        answer = api.http.post(path, json=body(compression=given))
        assert answer.status_code == 422, answer.text
        assert [fault["field"] for fault in answer.json()["errors"]] == [field]


def test_compression_is_kept_as_it_was_asked_for(api: Api) -> None:
    answer = api.http.post("/v1/studies", json=body(compression=["lth", "int8"]))
    assert answer.status_code == 202, answer.text
    study = api.http.get(answer.headers["location"]).json()
    assert study["spec"]["compression"] == [{"name": "lth", "size": 0.5, "rewind": 0.0}, "int8"]
