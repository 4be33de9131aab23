"""Studies on devices: one that is not there, and one that is kept for as long as the study lives."""

from pathlib import Path

import pytest

from taskgraft.search.running import pipeline
from taskgraft.search.running.lease import LEASE_SECONDS
from taskgraft.search.study.states import State
from tests.faults.dying import OWNER
from tests.faults.studies import lenient_spec, new_folder, open_store, take


def count(gpus: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pipeline, "count_gpus", lambda address: gpus)


def test_a_gpu_that_is_not_there_leaves_the_study_paused_with_the_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    count(0, monkeypatch)
    folder = new_folder(tmp_path)
    with open_store(folder) as store:
        study = store.create_study(lenient_spec(training={"device": "cuda"}))[0]
        ended = take(store, study, folder).run()
        assert ended.state is State.PAUSED
        assert (ended.reason or "").startswith("training.device: cuda is not there; Ray has no GPU")
        assert ended.device is None
        assert store.ledger(study.id).trial_count() == 0


@pytest.mark.parametrize(("gpus", "device"), [(0, "cpu"), (1, "cuda")])
def test_a_study_keeps_the_device_that_it_started_with(
    tmp_path: Path, gpus: int, device: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Results of two devices differ: a study that started on a GPU waits for one, and does not go on without."""
    folder = new_folder(tmp_path)
    with open_store(folder) as store:
        study = store.create_study(lenient_spec())[0]
        assert study.device is None
        count(gpus, monkeypatch)
        run = take(store, study, folder)
        run.lease.stop()
        assert run.run().device == device

        count(1 - gpus, monkeypatch)
        run = take(store, study, folder)
        if device == "cpu":
            run.lease.stop()
        ended = run.run()
        assert ended.device == device
        assert ended.state is (State.QUEUED if device == "cpu" else State.PAUSED)


def test_a_study_from_before_devices_were_kept_stays_on_the_processor(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    count(0, monkeypatch)
    folder = new_folder(tmp_path)
    with open_store(folder) as store:
        study = store.create_study(lenient_spec())[0]
        run = take(store, study, folder)
        run.lease.stop()
        facts = {name: fact for name, fact in run.run().facts.items() if name != "device"}
        held = store.acquire_study(study.id, OWNER, LEASE_SECONDS)
        store.set_facts(held.lease, facts)
        count(1, monkeypatch)
        run = take(store, study, folder)
        run.lease.stop()
        assert run.run().device == "cpu"
