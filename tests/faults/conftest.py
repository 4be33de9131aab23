from pathlib import Path
from typing import Any

import pytest

from taskgraft.search.study.states import State
from tests.faults.studies import TRIALS, findings, lenient_spec, new_folder, open_store, take


@pytest.fixture(scope="session")
def undisturbed_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the study runs to which nothing happens."""
    return new_folder(tmp_path_factory.mktemp("undisturbed") / "my data")


@pytest.fixture(scope="session")
def undisturbed(undisturbed_folder: Path) -> tuple[str, Any, Any]:
    """What the study finds out when nothing happens."""
    folder = undisturbed_folder
    with open_store(folder) as store:
        study = take(store, store.create_study(lenient_spec())[0], folder).run()
        assert (study.state, study.reason) == (State.SUCCEEDED, None)
        assert store.ledger(study.id).trial_count() == TRIALS
        assert study.result
        assert study.result.retrained
        assert len(study.result.retrained.tasks) == 3
        return findings(store, study)
