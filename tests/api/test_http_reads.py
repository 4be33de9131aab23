"""Pages of trials, single trials and trade-offs, over ledgers filled by hand; what is read and what is worked out."""

import itertools
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from taskgraft.api.client import Client
from taskgraft.errors import Conflict
from taskgraft.search.evidence.reduction_matrix import reduction_matrix
from taskgraft.search.running.answering import MatrixQuestion, Question
from taskgraft.search.running.tradeoff import find_tradeoff
from taskgraft.search.study.states import Stage, State
from taskgraft.space.tree import BranchTree
from tests.api.conftest import CLIPS, DEPTH, Api
from tests.api.test_http_results import DECIDED
from tests.search.results import RESULT
from tests.search.store.samples import lease_of


@pytest.fixture(scope="module")
def known(api: Api) -> str:
    """A study whose pairs are all decided at its threshold."""
    study_id = api.post()
    api.run(study_id, Stage.PAIRS)
    api.record_pairs(study_id, DECIDED)
    return study_id


def ended(api: Api, **changes: Any) -> str:
    """A study that has succeeded, as one of an earlier version: nothing is kept of what it found."""
    study_id = api.post(**changes)
    api.run(study_id, Stage.EXPORT)
    api.record_pairs(study_id, DECIDED)
    tree = api.http.get(f"/v1/studies/{study_id}/tree").json()
    api.store.finish(lease_of(api.store, study_id), State.SUCCEEDED, result=RESULT, tree=tree)
    return study_id


class _Asked:
    """Counts the questions that the service has its worker answer."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        from taskgraft.api.worker import Worker

        self.questions: list[Question] = []
        ask = Worker.ask

        def counted(worker: Worker, question: Question) -> Any:
            self.questions.append(question)
            return ask(worker, question)

        monkeypatch.setattr(Worker, "ask", counted)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> _Asked:
    return _Asked(monkeypatch)


@pytest.mark.parametrize("limit", [1, 3, 8, 500])
def test_pages_show_every_trial_once_and_in_order(api: Api, known: str, limit: int) -> None:
    numbers: list[int] = []
    params: dict[str, Any] = {"limit": limit}
    while True:
        page = api.http.get(f"/v1/studies/{known}/trials", params=params).json()
        assert len(page["items"]) <= limit
        numbers += [trial["number"] for trial in page["items"]]
        if page["next_cursor"] is None:
            break
        params["cursor"] = page["next_cursor"]
    assert numbers == list(range(8))


def test_a_page_is_compared_with_baselines_of_other_pages(api: Api, known: str) -> None:
    whole = api.http.get(f"/v1/studies/{known}/trials").json()["items"]
    first = api.http.get(f"/v1/studies/{known}/trials", params={"limit": 3}).json()["next_cursor"]
    page = api.http.get(f"/v1/studies/{known}/trials", params={"limit": 1, "cursor": first}).json()["items"]
    assert page == whole[3:4]
    assert page[0]["ar"] == pytest.approx(0.25)


@pytest.mark.parametrize(
    "cursor", ["", "garbage", "x y", "%00", "LTE", "MTI=extra", "é", "9" * 400, "OTk5OTk5OTk5OTk5OTk5OTk5OTk5"]
)
def test_a_cursor_that_no_page_gave_is_refused(api: Api, known: str, cursor: str) -> None:
    answer = api.http.get(f"/v1/studies/{known}/trials", params={"cursor": cursor})
    assert answer.status_code == 422
    assert [error["field"] for error in answer.json()["errors"]] == ["cursor"]


@pytest.mark.parametrize("limit", ["0", "501", "-1", "x"])
def test_a_page_has_1_to_500_trials(api: Api, known: str, limit: str) -> None:
    answer = api.http.get(f"/v1/studies/{known}/trials", params={"limit": limit})
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "limit")


def test_the_client_reads_every_page(api: Api, known: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("taskgraft.api.client.calls._TRIALS", 3)
    with Client(api.url) as client:
        assert [trial["number"] for trial in client.trials(known)] == list(range(8))


def test_a_list_says_less_of_a_study_than_the_study(api: Api, known: str) -> None:
    listed = next(item for item in api.http.get("/v1/studies").json()["items"] if item["id"] == known)
    study = api.http.get(f"/v1/studies/{known}").json()
    assert listed.pop("is_comparison") is False
    assert listed.pop("ar_threshold") == study["spec"]["ar_threshold"]
    assert listed == {name: study[name] for name in listed}
    assert not {"spec", "resolution", "comparison"} & listed.keys()


def test_one_trial_has_its_curve_references_and_confusions(api: Api, known: str) -> None:
    trial = api.http.get(f"/v1/studies/{known}/trials/3").json()
    listed = api.http.get(f"/v1/studies/{known}/trials").json()["items"][3]
    assert {name: trial[name] for name in listed} == listed
    assert trial["references"] == {"gender": 0.8, "word": 0.8}
    assert (trial["steps"], trial["best_step"], trial["planned_steps"], trial["curve"]) == (10, 5, 10, [])
    counts = {
        (one["table"], one["label"], one["truth"], one["answer"]): one["count"] for one in trial["confusion"]["word"]
    }
    assert counts == {
        ("classes", 0, 0, 0): 30,
        ("classes", 0, 1, 1): 30,
        ("classes", 0, 0, 1): 20,
        ("classes", 0, 1, 0): 20,
    }
    assert sum(one["count"] for one in trial["confusion"]["gender"]) == CLIPS


@pytest.mark.parametrize(("number", "status"), [("8", 404), ("-1", 422), ("x", 422), (str(2**40), 422)])
def test_a_trial_that_is_not_there(api: Api, known: str, number: str, status: int) -> None:
    assert api.http.get(f"/v1/studies/{known}/trials/{number}").status_code == status


def test_a_kept_matrix_is_read_and_not_worked_out(api: Api, asked: _Asked) -> None:
    study_id = api.post()
    study = api.run(study_id, Stage.PAIRS)
    api.record_pairs(study_id, DECIDED)
    trials = api.store.ledger(study_id).trials()
    matrix = reduction_matrix(study.spec, trials[:5])
    api.store.findings.keep_matrix(study_id, matrix, 5, lease_of(api.store, study_id))
    shown = api.http.get(f"/v1/studies/{study_id}/matrix").json()
    assert (shown["trials"], len(shown["cells"])) == (5, 2), "the runner will bring it up to date"
    assert api.http.get(f"/v1/studies/{study_id}/matrix", params={"format": "csv"}).text == matrix.to_csv()
    assert asked.questions == []
    api.store.release(lease_of(api.store, study_id))
    assert len(api.http.get(f"/v1/studies/{study_id}/matrix").json()["cells"]) == len(DECIDED)
    assert asked.questions == [MatrixQuestion(study_id, 8)], "no runner holds it any more"


def test_a_finished_study_of_old_has_its_matrix_worked_out_once(api: Api, asked: _Asked) -> None:
    study_id = ended(api)
    asked.questions.clear()
    shown = [api.http.get(f"/v1/studies/{study_id}/matrix").json() for _ in range(2)]
    assert asked.questions == [MatrixQuestion(study_id, 8)]
    kept = api.store.findings.matrix(study_id)
    assert kept
    fresh = reduction_matrix(api.store.get_study(study_id).spec, api.store.ledger(study_id).trials())
    assert (kept[0], kept[1]) == (fresh, 8)
    assert shown[0] == shown[1]
    assert [cell["ar_interval"] for cell in shown[0]["cells"]] == [
        [record["low"], record["high"]] for record in fresh.to_records()
    ]


def test_equal_requests_share_one_computation(api: Api, asked: _Asked) -> None:
    study_id = api.post()
    api.record_pairs(study_id, DECIDED)
    start = threading.Barrier(20)

    def ask(_: int) -> httpx.Response:
        start.wait()
        return httpx.get(f"{api.url}/v1/studies/{study_id}/matrix", timeout=60)

    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(ask, range(20)))
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.content for answer in answers}) == 1
    assert len(asked.questions) == 1


def test_the_tradeoff_is_worked_out_once_and_says_which_trees_there_are(api: Api, asked: _Asked) -> None:
    study_id = ended(api, strategy="exhaustive")
    asked.questions.clear()
    tradeoff = api.http.get(f"/v1/studies/{study_id}/tradeoff").json()
    assert tradeoff["exact"] is True
    assert len(asked.questions) == 1
    assert api.http.get(f"/v1/studies/{study_id}/tradeoff").json() == tradeoff
    points = find_tradeoff(api.store.get_study(study_id), api.store.ledger(study_id).trials())
    found = [(item["ar_threshold"], item["digest"], item["encoder_parameters"]) for item in tradeoff["items"]]
    changes = {point.ar_threshold: (point.digest, point.encoder_parameters) for point in points}
    assert found[0][0] == 0
    assert all(changes[threshold] == (digest, size) for threshold, digest, size in found)
    assert all(before[1] != after[1] for before, after in itertools.pairwise(found))
    for threshold in (0.01, found[-1][0], 0.9):
        tree = api.http.get(f"/v1/studies/{study_id}/tree", params={"ar_threshold": threshold}).json()
        point = [point for point in points if point.ar_threshold <= threshold][-1]
        assert tree["ar_threshold"] == threshold
        assert tree["root"] == point.document["root"]
        assert tree["encoder_parameters"] == point.encoder_parameters
    assert len(asked.questions) == 4, "what forced a tree is worked out"


def test_between_the_thresholds_of_trainings_that_stop_early_a_tree_is_worked_out(api: Api, asked: _Asked) -> None:
    study_id = ended(api)
    tradeoff = api.http.get(f"/v1/studies/{study_id}/tradeoff").json()
    assert tradeoff["exact"] is False
    asked.questions.clear()
    at = tradeoff["items"][1]["ar_threshold"]
    api.http.get(f"/v1/studies/{study_id}/tree", params={"ar_threshold": at})
    assert asked.questions == []
    api.http.get(f"/v1/studies/{study_id}/tree", params={"ar_threshold": at + 1e-6})
    assert len(asked.questions) == 1


def test_only_a_search_that_has_succeeded_has_a_tradeoff(api: Api, known: str) -> None:
    with Client(api.url) as client, pytest.raises(Conflict, match="only a search that has succeeded"):
        client.tradeoff(known)


def test_errors_of_what_is_worked_out_are_those_of_the_service(api: Api) -> None:
    study_id = api.post()
    api.record(study_id, BranchTree.flat(["gender"], DEPTH, DEPTH), {"gender": 80})
    answer = api.http.get(f"/v1/studies/{study_id}/tree")
    assert (answer.status_code, answer.headers["content-type"]) == (409, "application/problem+json")
    assert "pairs are still to be trained" in answer.json()["detail"]
