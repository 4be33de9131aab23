"""Server-sent events over a real server: each trial once, across broken connections, replicas and deletion."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from taskgraft.api.app import create_app
from taskgraft.api.settings import Settings
from taskgraft.search.study.states import Stage, State
from taskgraft.search.study.trial import Training, TrialState
from taskgraft.space.tree import BranchTree
from tests.api.conftest import DEPTH, Api, measurement, serving
from tests.api.test_http_results import DECIDED
from tests.search.store.samples import lease_of

Event = tuple[str, str, Any]


@pytest.fixture(autouse=True)
def _quickly(app: FastAPI, api: Api) -> None:
    app.state.streams._poll = 0.05


@contextmanager
def following(url: str, study_id: str, last: str | None = None) -> Iterator[Iterator[Event]]:
    """The events of a study as (name, id, data), until the stream ends or the block does."""
    headers = {"Last-Event-ID": last} if last else {}
    with httpx.stream("GET", f"{url}/v1/studies/{study_id}/events", headers=headers, timeout=30) as response:
        assert response.status_code == 200, response.read()
        assert response.headers["content-type"].startswith("text/event-stream")
        yield events_of(response.iter_lines())


def events_of(lines: Iterator[str]) -> Iterator[Event]:
    fields: dict[str, str] = {}
    for line in lines:
        if line:
            name, _, value = line.partition(": ")
            fields[name] = value
        elif "data" in fields:
            yield fields["event"], fields["id"], json.loads(fields["data"])
            fields = {}


def record(api: Api, study_id: str, repeat: int) -> None:
    training = Training(BranchTree.flat(["gender"], DEPTH, DEPTH), repeat)
    api.store.ledger(study_id).record(
        lease_of(api.store, study_id), training, 7, TrialState.COMPLETE, measurement({"gender": 80}), value=0.0
    )


def test_what_has_happened_comes_first_then_what_happens_until_the_end(api: Api) -> None:
    study_id = api.post()
    record(api, study_id, 0)
    with following(api.url, study_id) as events:
        assert [next(events)[:2] for _ in range(2)] == [("trial", "0.."), ("study", "0.queued.")]
        api.run(study_id, Stage.PAIRS)
        seen = [next(events)]
        while seen[-1][2].get("stage") != "pairs":  # it runs a moment before it has a stage
            seen.append(next(events))
        assert seen[-1][1:] == (
            "0.running.pairs",
            {"id": study_id, "state": "running", "stage": "pairs", "reason": None},
        )
        record(api, study_id, 1)
        name, position, trial = next(events)
        assert (name, position, trial["repeat"]) == ("trial", "1.running.pairs", 1)
        assert trial == api.http.get(f"/v1/studies/{study_id}/trials").json()["items"][1]
        api.store.finish(lease_of(api.store, study_id), State.FAILED, reason="no luck")
        assert [(name, data["state"], data["reason"]) for name, _, data in events] == [("study", "failed", "no luck")]


def test_a_stream_that_breaks_anywhere_goes_on_without_loss_or_repetition(api: Api, settings: Settings) -> None:
    """Two replicas take turns, and trials are recorded all the while."""
    study_id = api.post()
    api.run(study_id, Stage.PAIRS)

    def work() -> None:
        for repeat in range(60):
            record(api, study_id, repeat)
        api.store.finish(lease_of(api.store, study_id), State.SUCCEEDED)

    runner = threading.Thread(target=work)
    other = create_app(settings)
    numbers: list[int] = []
    states: list[str] = []
    with serving(other) as url:
        other.state.streams._poll = 0.05
        runner.start()
        last, turn = None, 0
        while "succeeded" not in states:
            with following((api.url, url)[turn % 2], study_id, last) as events:
                for (name, last, data), _ in zip(events, range(1 + turn % 7), strict=False):  # noqa: B007
                    numbers += [data["number"]] if name == "trial" else []
                    states += [data["state"]] if name == "study" else []
            turn += 1
        runner.join()
    assert turn > 8
    assert numbers == list(range(60))
    assert states in (["succeeded"], ["running", "succeeded"]), "each once; those in between may be left out"


def test_who_has_seen_the_end_is_told_that_nothing_follows(api: Api) -> None:
    study_id = api.post()
    api.store.cancel_study(study_id)
    with following(api.url, study_id) as events:
        ((_, last, _),) = events
    headers = {"Last-Event-ID": last}
    answer = api.http.get(f"/v1/studies/{study_id}/events", headers=headers)
    assert (answer.status_code, answer.content) == (204, b"")


def test_a_large_ledger_comes_in_order(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("taskgraft.api.events._BATCH", 3)
    study_id = api.post()
    api.record_pairs(study_id, DECIDED)
    api.store.cancel_study(study_id)
    with following(api.url, study_id) as events:
        found = list(events)
    assert [data["number"] for _, _, data in found[:-1]] == list(range(8))
    assert found[-1][0] == "study"


def test_a_deleted_study_ends_its_streams(api: Api) -> None:
    study_id = api.post()
    record(api, study_id, 0)
    with following(api.url, study_id) as events:
        assert [next(events)[0] for _ in range(2)] == ["trial", "study"]
        api.store.cancel_study(study_id)
        api.store.delete_study(study_id)
        assert list(events)[-1][0] in {"deleted", "study"}
    assert api.http.get(f"/v1/studies/{study_id}/events").status_code == 404


@pytest.mark.parametrize(
    "last", ["x", "1", "1.running", "1.dancing.", "-2..", "01..", "1.running.pairs.x", "9" * 30 + ".."]
)
def test_an_id_that_no_event_had_is_refused(api: Api, last: str) -> None:
    answer = api.http.get(f"/v1/studies/{api.post()}/events", headers={"Last-Event-ID": last})
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "Last-Event-ID")


def test_there_are_only_so_many_streams(app: FastAPI, api: Api) -> None:
    study_id, streams = api.post(), app.state.streams
    most, streams._most = streams._most, 2
    try:
        with following(api.url, study_id) as one, following(api.url, study_id) as two:
            assert [next(one)[0], next(two)[0]] == ["study", "study"]
            refused = api.http.get(f"/v1/studies/{study_id}/events")
            assert (refused.status_code, refused.headers["retry-after"]) == (503, "5")
    finally:
        streams._most = most
