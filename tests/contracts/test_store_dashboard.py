"""What optuna-dashboard shows of a ledger, on every database: the real program, asked over its HTTP interface."""

import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
from optuna.storages import RDBStorage
from optuna_dashboard import wsgi

from taskgraft.search.store import Store
from taskgraft.search.store.urls import parse_url
from taskgraft.search.study.spec import StudySpec
from tests.search.store.samples import TASKS, make_measurement, make_study, make_training, record

_START_SECONDS = 60.0


@contextmanager
def dashboard(url: str) -> Iterator[httpx.Client]:
    """The program, as ``optuna-dashboard URL`` starts it, at a port that is free."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        port = str(held.getsockname()[1])
    shown = parse_url(url).render_as_string(hide_password=False)
    program = Path(sys.executable).with_name("optuna-dashboard")
    process = subprocess.Popen([program, shown, "--host", "127.0.0.1", "--port", port], stderr=subprocess.DEVNULL)
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60.0) as client:
            wait_for(client, process)
            yield client
    finally:
        process.kill()
        process.wait()


def wait_for(client: httpx.Client, process: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + _START_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        try:
            client.get("/api/meta").raise_for_status()
        except httpx.TransportError:
            time.sleep(0.1)
        else:
            return
    raise AssertionError("optuna-dashboard did not start")


def attributes(found: dict[str, Any]) -> dict[str, str]:
    return {one["key"]: one["value"] for one in found["user_attrs"]}


def test_a_study_is_shown_by_its_name_with_curves_and_readable_attributes(url: str, store: Store) -> None:
    study = make_study(store, "my-device")
    for repeat, task in enumerate(TASKS):
        record(store, study.id, make_training(repeat, (task,), 8))
    record(store, study.id, make_training(0), value=0.25)
    record(store, study.id, make_training(1), value=0.125)
    with dashboard(url) as client:
        listed = client.get("/api/studies").json()["study_summaries"]
        pairs, baselines = (client.get(f"/api/studies/{one['study_id']}").json() for one in listed)
    assert [one["study_name"] for one in listed] == [f"my-device/{study.id}", f"my-device/{study.id}/baselines"]
    assert (pairs["directions"], pairs["objective_names"]) == (["minimize"], ["AR"])
    said = attributes(pairs)
    assert (said["study"], said["ar_threshold"], said["tasks"]) == (study.id, "0.02", "age, command, gender")
    (best,) = pairs["best_trials"]
    assert (best["values"], attributes(best)["kind"], attributes(best)["tasks"]) == ([0.125], "pair", "age, gender")
    assert best["intermediate_values"] == [{"step": 100, "value": 0.5}, {"step": 200, "value": 0.75}]
    assert (len(pairs["trials"]), len(baselines["trials"])) == (2, 3)
    assert {attributes(trial)["kind"] for trial in baselines["trials"]} == {"baseline"}
    assert baselines["best_trials"][0]["values"] == [0.875]
    shown = [value for trial in pairs["trials"] + baselines["trials"] for value in attributes(trial).values()]
    assert max(map(len, shown)) < 100  # no outcomes, no measurement


def test_a_study_without_a_pair_has_no_best_trial(store: Store, url: str) -> None:
    study = make_study(store)
    record(store, study.id, make_training(0, ("age",), 8))
    text = parse_url(url).render_as_string(hide_password=False)
    storage = RDBStorage(text)
    with httpx.Client(transport=httpx.WSGITransport(app=wsgi(storage)), base_url="http://test") as client:
        first = client.get("/api/studies").json()["study_summaries"][0]
        assert client.get(f"/api/studies/{first['study_id']}").json()["best_trials"] == []
    storage.remove_session()
    storage.engine.dispose()


def test_the_best_baseline_of_an_error_is_the_smallest_one(url: str, store: Store) -> None:
    tasks = [{"name": "age", "dataset": "speech", "target": "age", "kind": "value", "metric": "mean_absolute_error"}]
    spec = StudySpec.parse({"name": "years", "ar_threshold": 0.02, "tasks": tasks})
    study = store.create_study(spec)[0]
    for repeat, error in enumerate((0.75, 0.25, 0.5)):
        measured = replace(make_measurement(("age",)), metrics={"age": error})
        record(store, study.id, make_training(repeat, ("age",), 8), measured)
    with dashboard(url) as client:
        baselines = client.get("/api/studies").json()["study_summaries"][1]
        (best,) = client.get(f"/api/studies/{baselines['study_id']}").json()["best_trials"]
    assert best["values"] == [-0.25]
