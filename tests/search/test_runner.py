"""The runner as a process, and what it survives."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from taskgraft.search.runner import Runner, main
from taskgraft.search.store import Store, sqlite_url
from taskgraft.search.study import State
from tests.search.worlds import make_spec


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store(sqlite_url(tmp_path / "store.db")) as store:
        yield store


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_process_works_until_it_is_told_to_stop(store: Store, tmp_path: Path, number: signal.Signals) -> None:
    study = store.create_study(make_spec(2))[0]
    command = [sys.executable, "-m", "taskgraft.search.runner", "--data-dir", str(tmp_path)]
    environment = {**os.environ, "TASKGRAFT_DATABASE_URL": sqlite_url(tmp_path / "store.db")}
    with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True) as process:
        wait_for(lambda: store.get_study(study.id).state is State.FAILED)
        process.send_signal(number)
        _, said = process.communicate(timeout=60)
    assert process.returncode == 0
    assert "tasks.0.dataset: a dataset is one of demo-speech" in (store.get_study(study.id).reason or "")
    assert f"study {study.id}: failed" in said
    assert store.runner_seen() is not None
    assert "Traceback" not in said


def test_a_study_that_was_deleted_under_it_stops_no_runner(store: Store, tmp_path: Path) -> None:
    """The study is deleted between being taken and being worked on."""
    gone, next_one = (store.create_study(make_spec(2, name=name))[0].id for name in ("gone", "next"))
    take = store.acquire

    def take_and_lose(owner: str, seconds: float) -> object:
        study = take(owner, seconds)
        if study and study.id == gone:
            store.pause_study(gone)
            store.delete_study(gone)
        return study

    store.acquire = take_and_lose  # type: ignore[assignment,method-assign]
    runner = Runner(store, tmp_path)
    thread = threading.Thread(target=runner.run)
    thread.start()
    wait_for(lambda: store.get_study(next_one).state is State.FAILED)
    runner.stop()
    thread.join()
    assert [study.id for study in store.list_studies().items] == [next_one]


def test_a_runner_needs_a_database(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.delenv("TASKGRAFT_DATABASE_URL", raising=False)
    with pytest.raises(SystemExit) as caught:
        main(["--data-dir", str(tmp_path)])
    assert caught.value.code == 2
    assert main(["--data-dir", str(tmp_path), "--database-url", f"sqlite:///{tmp_path}/none/store.db"]) == 1
    assert "cannot be opened" in caplog.text
