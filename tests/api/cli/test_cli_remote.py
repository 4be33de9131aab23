"""Commands that speak to a service: a real one, whose studies the test moves on by hand."""

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Thread

import pytest
import yaml

from taskgraft.search.study.states import Stage, State
from taskgraft.search.study.study import Progress, RunningTrial
from taskgraft.space.document import tree_document
from taskgraft.space.templates.registry import get_template
from taskgraft.space.tree import BranchTree
from tests.api.cli.commands import taskgraft, write
from tests.api.conftest import DEPTH, Api, body
from tests.search.results import RESULT
from tests.search.store.samples import lease_of


@pytest.fixture(autouse=True)
def _service_by_environment(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TASKGRAFT_URL", api.url)


def succeed(api: Api, study_id: str) -> None:
    """What a runner does, the trainings apart."""
    api.run(study_id, Stage.EXPORT)
    tasks = tuple(str(task["name"]) for task in body()["tasks"])
    document = tree_document(BranchTree.flat(tasks, DEPTH, DEPTH), get_template("cnn8"), 0.1)
    api.store.finish(lease_of(api.store, study_id), State.SUCCEEDED, result=RESULT, tree=document)


def test_a_study_is_submitted_and_cancelled(api: Api, tmp_path: Path) -> None:
    study = write(tmp_path / "study.yaml", yaml.safe_dump(body(name="by-hand")))
    said = taskgraft("submit", study)
    assert said.code == 0
    study_id = said.out.strip()
    assert api.store.get_study(study_id).spec.name == "by-hand"
    assert taskgraft("submit", study, "--json").document["state"] == "queued"
    assert taskgraft("cancel", study_id).out == "cancelled\n"
    again = taskgraft("cancel", study_id, "--json")
    assert again.code == 2
    assert "only one that is queued or paused or running may be cancelled" in again.document["errors"][0]["message"]


def test_what_the_service_refuses_is_told_field_by_field(tmp_path: Path) -> None:
    tasks = [{"name": "a", "dataset": "corpus", "target": "x"}]
    tasks.append({"name": "b", "dataset": "demo-speech", "target": "hat"})
    said = taskgraft("submit", write(tmp_path / "study.yaml", yaml.safe_dump(body(tasks=tasks))), "--json")
    assert said.code == 2
    assert [error["field"] for error in said.document["errors"]] == ["tasks.0.dataset", "tasks.1.target"]


def cells(text: str) -> list[list[str]]:
    """Every line of the tables in a text: its cells."""
    return [re.split(r"\s*│\s*|\s{2,}", line.strip("│ ")) for line in text.splitlines()]


def test_the_status_of_one_and_of_all(api: Api) -> None:
    queued, done = api.post(name="waiting"), api.post(name="finished")
    succeed(api, done)
    assert taskgraft("status", queued).out == "queued: no result yet\n"
    assert taskgraft("status", done, "--json").document["result"]["ar"] == 0.0102
    text = taskgraft("status", done).out
    assert "gender, word, age_group  blocks 1-8" in text
    assert "1.02 %  (95 % interval 0.00 % to 3.00 %)" in text
    assert ["gender", "accuracy", "98.00", "97.00", "1.02", "-0.40 to 2.51", "240"] in cells(text)
    assert ["word", "macro_f1", "41.00", "42.00", "-2.44", "-10.00 to 1.00", "150", "12"] in cells(text)
    assert ["age_group", "accuracy", "50.00", "50.00", "at chance", "240"] in cells(text)
    assert ["verdict", "not refuted; verified for Q >= 2.51 %"] in cells(text)
    assert ["at chance, not judged", "age_group"] in cells(text)
    assert "expected AR 3.00 %" in text
    assert {queued, done} <= {study["id"] for study in taskgraft("status", "--json").document}
    (line,) = (line for line in taskgraft("status").out.splitlines() if done in line)
    assert "finished" in line
    assert "not refuted" in line
    assert "1.02 %" in line


def test_a_matrix_is_coloured_by_what_keeps_the_threshold(api: Api) -> None:
    study_id = api.post()
    api.record_pairs(study_id, {("gender", "word", 8): 60, ("gender", "word", 6): 78})
    lines = taskgraft("status", study_id).out.splitlines()
    (row,) = (line for line in lines if "gender + word" in line)
    assert [cell.strip() for cell in row.strip("│").split("│")] == ["gender + word", "2.50 %", "25.00 %"]


def test_an_unknown_study_is_told() -> None:
    for command in ("status", "watch", "pause", "resume", "cancel", "delete", "matrix", "tree", "download"):
        said = taskgraft(command, "no-such-study")
        assert said.code == 2, command
        assert "no-such-study" in said.err
        assert said.out == ""


@contextmanager
def meanwhile(action: Thread) -> Iterator[None]:
    action.start()
    yield
    action.join()


def test_a_study_is_watched_to_its_end(api: Api) -> None:
    study_id = api.post()

    def work() -> None:
        api.run(study_id, Stage.PAIRS)
        training = RunningTrial(("gender", "word"), 8, 0, 0.5, 3.0, "here:1")
        api.store.renew(
            lease_of(api.store, study_id), 60.0, progress=Progress(1, 4, 0.3, 90.0, 400.0, 9), running=[training]
        )
        time.sleep(2.5)
        succeed(api, study_id)

    with meanwhile(Thread(target=work)):
        said = taskgraft("watch", study_id, "--json")
    assert said.code == 0
    assert said.document["state"] == "succeeded"
    assert "running pairs: 1 of 4 to 9 trainings, 2 to 7 min left" in said.err.splitlines()


def test_watching_a_study_that_does_not_succeed_ends_with_1(api: Api) -> None:
    study_id = api.post()
    api.run(study_id, Stage.PAIRS)
    api.store.finish(lease_of(api.store, study_id), State.FAILED, reason="it [rained]")
    said = taskgraft("watch", study_id)
    assert said.code == 1
    assert said.out == "failed: it [rained]\n"


def test_a_study_is_paused_watched_resumed_and_deleted(api: Api) -> None:
    study_id = api.post()
    assert taskgraft("pause", study_id).out == "paused\n"
    watched = taskgraft("watch", study_id)
    assert watched.code == 130
    assert watched.err.splitlines()[-1] == f"the study is paused; taskgraft resume {study_id} continues it"
    assert taskgraft("watch", study_id, "--json").document["state"] == "paused"
    again = taskgraft("pause", study_id, "--json")
    assert again.code == 2
    assert "only one that is queued or running may be paused" in again.document["errors"][0]["message"]
    assert taskgraft("resume", study_id, "--json").document["state"] == "queued"
    api.run(study_id, Stage.PAIRS)
    assert "only one that does not run may be deleted" in taskgraft("delete", study_id).err
    taskgraft("pause", study_id)
    assert taskgraft("delete", study_id, "--json").document == {"deleted": study_id}
    assert taskgraft("status", study_id).code == 2


def test_a_pause_may_be_watched_through(api: Api) -> None:
    study_id = api.post()
    taskgraft("pause", study_id)

    def cancel() -> None:
        time.sleep(1.5)
        api.store.cancel_study(study_id)

    with meanwhile(Thread(target=cancel)):
        said = taskgraft("watch", study_id, "--through-pauses")
    assert (said.code, said.err.splitlines()[0]) == (1, "paused : 0 of ? trainings")


def test_the_matrix_of_a_study_in_three_forms(api: Api, tmp_path: Path) -> None:
    study_id = api.post()
    assert taskgraft("matrix", study_id).out == "no pair has been trained yet\n"
    api.record_pairs(study_id, {("gender", "word", 8): 60, ("gender", "word", 6): 78})
    assert "│ gender + word │ 2.50 % │ 25.00 % │" in taskgraft("matrix", study_id).out
    cells = taskgraft("matrix", study_id, "--json").document["cells"]
    assert [(cell["depth"], round(cell["ar"], 6)) for cell in cells] == [(6, 0.025), (8, 0.25)]
    table = write(tmp_path / "pairs.csv", taskgraft("matrix", study_id, "--csv").out)
    synthesized = taskgraft("synthesize", table, "--threshold", "0.1", "--json").document
    assert synthesized["root"]["blocks"] == [0, 6]


def test_the_tree_of_a_study_at_any_threshold_and_as_a_picture(api: Api, tmp_path: Path) -> None:
    study_id = api.post()
    succeed(api, study_id)
    api.record_pairs(study_id, {("gender", "word", 8): 78})
    assert "gender, word, age_group  blocks 1-8" in taskgraft("tree", study_id).out
    said = taskgraft("tree", study_id, "--threshold", "0.3", "--svg", tmp_path / "tree.svg", "--json")
    assert said.code == 0
    assert said.document == taskgraft("tree", study_id, "--threshold", "0.3", "--json").document
    assert said.document["ar_threshold"] == 0.3
    assert (tmp_path / "tree.svg").read_text().startswith("<svg")
    assert taskgraft("tree", study_id, "--threshold", "2").code == 2
    nowhere = taskgraft("tree", study_id, "--svg", tmp_path / "no" / "tree.svg")
    assert (nowhere.code, nowhere.out) == (1, "")
    assert "can't be written: No such file or directory" in nowhere.err


def test_a_model_is_downloaded_once(api: Api, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    study_id = api.post(name="mine")
    too_early = taskgraft("download", study_id)
    assert too_early.code == 2
    assert list(tmp_path.iterdir()) == []
    succeed(api, study_id)
    api.offer(study_id, {"tree.json": b"{}"})
    assert taskgraft("download", study_id).out == f"mine-{study_id}\n"
    assert (tmp_path / f"mine-{study_id}" / "tree.json").read_bytes() == b"{}"
    again = taskgraft("download", study_id, "--json")
    assert again.code == 2
    assert "is there already" in again.document["errors"][0]["message"]
    elsewhere = taskgraft("download", study_id, "--out", "some where/model", "--json")
    assert elsewhere.document == {"bundle": "some where/model"}


@pytest.mark.parametrize("url", ["http://127.0.0.1:9", "http://[", "ftp://127.0.0.1"])
def test_a_service_that_is_not_there_is_trouble_outside(url: str) -> None:
    said = taskgraft("status", "--url", url, "--json")
    assert said.code == 1
    assert len(said.document["errors"]) == 1
    assert said.err.startswith("error: ")
