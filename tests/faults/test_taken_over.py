"""A whole study that was run before: nothing is trained, and what comes out is the same, byte for byte."""

from pathlib import Path
from typing import Any

import pytest

from taskgraft.search.running import pipeline
from taskgraft.search.running.artifacts import artifacts_dir, remove_study_files
from taskgraft.search.study.states import State
from tests.faults.studies import TRIALS, findings, lenient_spec, open_store, take


@pytest.mark.slow
def test_a_second_study_takes_everything_over_without_ray(
    undisturbed: tuple[str, Any, Any], undisturbed_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def start(*_: object) -> None:
        raise AssertionError("there is nothing to train")

    monkeypatch.setattr(pipeline, "ray_session", start)
    folder = undisturbed_folder
    with open_store(folder) as store:
        first = store.list_studies().items[-1]
        study = store.create_study(lenient_spec())[0]
        ended = take(store, study, folder).run()
        assert (ended.state, ended.reason) == (State.SUCCEEDED, None)
        assert (ended.progress.trials_done, ended.progress.taken_over) == (TRIALS, TRIALS)
        assert findings(store, ended) == undisturbed
        for name in ("model.safetensors", "model.onnx", "tree.json", "metrics.json"):
            before, after = (artifacts_dir(folder, one.id) / name for one in (first, ended))
            assert after.read_bytes() == before.read_bytes(), name
        store.delete_study(ended.id)
        remove_study_files(folder, ended.id)
        assert (artifacts_dir(folder, first.id) / "model.onnx").is_file()
