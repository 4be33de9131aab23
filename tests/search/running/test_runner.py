"""The runner as a process, and what it survives."""

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from taskgraft.errors import NotFound
from taskgraft.search.running.artifacts import Checkpoints, study_dir
from taskgraft.search.running.runner import Runner, main
from taskgraft.search.store import Store, sqlite_url
from taskgraft.search.study.dataset import DatasetState, Registered
from taskgraft.search.study.spec import StudySpec
from taskgraft.search.study.states import State
from taskgraft.search.study.trial import Training
from taskgraft.space.tree import BranchTree
from tests.evaluators.datasets.corpora import sound_corpus, write_tone
from tests.search.worlds import make_spec
from tests.stores import new_store


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with new_store(tmp_path / "store.db") as store:
        yield store


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_process_works_until_it_is_told_to_stop(store: Store, tmp_path: Path, number: signal.Signals) -> None:
    study = store.create_study(make_spec(2))[0]
    command = [sys.executable, "-m", "taskgraft.search.running.runner", "--data-dir", str(tmp_path)]
    left = tmp_path / "features" / f".pack-{'a' * 32}"
    left.mkdir(parents=True)
    environment = {**os.environ, "TASKGRAFT_DATABASE_URL": sqlite_url(tmp_path / "store.db")}
    environment["TASKGRAFT_LOG_FORMAT"] = "json"
    with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True) as process:
        wait_for(lambda: store.get_study(study.id).state is State.FAILED)
        process.send_signal(number)
        _, said = process.communicate(timeout=60)
    assert process.returncode == 0
    assert "tasks.0.dataset: a dataset is one of demo-speech" in (store.get_study(study.id).reason or "")
    assert f"study {study.id}: failed" in said
    logged = [json.loads(line) for line in said.splitlines()]
    assert [line["study"] for line in logged if study.id in line["message"]] == [study.id] * 2
    assert {line["owner"].split(":")[1] for line in logged if "study" in line} == {str(process.pid)}
    assert not left.exists()  # a maker that was killed left it
    assert store.runner_silence() is not None
    assert "Traceback" not in said


def test_a_study_that_was_deleted_under_it_stops_no_runner(store: Store, tmp_path: Path) -> None:
    """The study is deleted between being taken and being worked on."""
    gone, next_one = (store.create_study(make_spec(2, name=name))[0].id for name in ("gone", "next"))
    take = store.acquire

    def take_and_lose(owner: str, seconds: float) -> object:
        held = take(owner, seconds)
        if held and held.study.id == gone:
            store.pause_study(gone)
            store.delete_study(gone)
        return held

    store.acquire = take_and_lose  # type: ignore[assignment,method-assign]
    runner = Runner(store, tmp_path)
    thread = threading.Thread(target=runner.run)
    thread.start()
    wait_for(lambda: store.get_study(next_one).state is State.FAILED)
    runner.stop()
    thread.join()
    assert [study.id for study in store.list_studies().items] == [next_one]


def test_a_study_that_is_deleted_while_a_training_ends_leaves_no_files(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from taskgraft.search.running.pipeline import StudyRun  # takes seconds, for this test alone

    study = store.create_study(make_spec(2))[0].id
    run = StudyRun(store, store.acquire_study(study, "runner", 30), tmp_path)

    def work() -> None:
        store.pause_study(study)
        store.delete_study(study)
        Checkpoints(tmp_path, study).save(Training(BranchTree.flat("a", 8, 8)), b"weights")
        raise NotFound(study)

    monkeypatch.setattr(run, "_work", work)
    with pytest.raises(NotFound):
        run.run()
    assert not study_dir(tmp_path, study).exists()


def test_a_runner_needs_a_database(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.delenv("TASKGRAFT_DATABASE_URL", raising=False)
    with pytest.raises(SystemExit) as caught:
        main(["--data-dir", str(tmp_path)])
    assert caught.value.code == 2
    assert main(["--data-dir", str(tmp_path), "--database-url", f"sqlite:///{tmp_path}/none/store.db"]) == 1
    assert "cannot be opened" in caplog.text


def test_datasets_are_checked_while_studies_wait_for_them(store: Store, tmp_path: Path) -> None:
    """One becomes ready and then changes on the disk, one turns out broken, one is gone: each study says so."""
    manifests = {name: sound_corpus(tmp_path / name) for name in ("changed", "broken", "gone")}
    manifests["broken"].write_text("path,split\na.wav,sunday\n")
    studies = {}
    for name, manifest in manifests.items():
        store.datasets.add(name, Registered(str(manifest)), None)
        task = {"name": "animal", "dataset": name, "target": "animal"}
        spec = StudySpec.parse({"ar_threshold": 0.1, "tasks": [task]})
        studies[name] = store.create_study(spec, datasets={name: 1})[0].id
        store.pause_study(studies[name])
    runner = Runner(store, tmp_path)
    thread = threading.Thread(target=runner.run)
    thread.start()
    try:
        wait_for(lambda: all(store.datasets.get(name).state is not DatasetState.CHECKING for name in manifests))
        assert store.datasets.get("changed").state is DatasetState.READY
        write_tone(manifests["changed"].parent / "test-cat.wav", hertz=333)
        shutil.rmtree(manifests["gone"].parent)
        for study_id in studies.values():
            store.resume_study(study_id)
        wait_for(lambda: all(store.get_study(study_id).state is State.FAILED for study_id in studies.values()))
    finally:
        runner.stop()
        thread.join()
    reasons = {name: store.get_study(study_id).reason or "" for name, study_id in studies.items()}
    assert "changed changed on the disk since version 1 of it was checked; register it again" in reasons["changed"]
    assert "broken is broken: manifest.csv:2: a split is one of" in reasons["broken"]
    assert "the files of gone, version 1, are gone" in reasons["gone"]


def test_the_checker_knows_no_torch() -> None:
    imports = "import sys, taskgraft.search.running.checking, taskgraft.search.running.runner"
    code = f"{imports}; print({{'torch', 'ray'}} & set(sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "set()\n"
