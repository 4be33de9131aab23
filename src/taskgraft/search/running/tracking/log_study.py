"""Logs one finished study to MLflow, and ends: the process that `Tracker` starts, or somebody by hand."""

import argparse
import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from taskgraft.errors import TaskgraftError
from taskgraft.search.running.artifacts import artifacts_dir
from taskgraft.search.running.tracking.records import study_record, training_record
from taskgraft.search.running.tracking.tracker import URI_VARIABLE
from taskgraft.search.store import Store
from taskgraft.search.store.trials import MAX_PAGE, Baselines
from taskgraft.search.study.study import Study
from taskgraft.search.study.tracking import Tracking
from taskgraft.search.study.trial import Trial


def log_study(store: Store, study_id: str, epoch: int, data_dir: Path, tracking: Tracking) -> None:
    """Log a study that has ended: its parameters, figures and bundle, and each training as a nested run.

    What was logged under this epoch before stays. What an attempt left that broke off is removed first.

    Raises:
        NotFound: no study has this id.
        Unavailable: the database fails.
    """
    # MLflow takes seconds to import, and tells its makers of its use unless it is asked not to.
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    from taskgraft.search.running.tracking.experiment import Experiment  # noqa: PLC0415

    study = store.get_study(study_id)
    experiment = Experiment(tracking.uri, data_dir)
    if experiment.has(study_id, epoch):
        return
    experiment.remove_unfinished(study_id, epoch)
    with experiment.run(study_record(study, epoch)) as run:
        bundle = artifacts_dir(data_dir, study_id)
        if bundle.is_dir():
            run.log_folder(bundle)
        for trial, baselines in _trials(store, study):
            run.log_nested(training_record(study.spec, trial, baselines, epoch))


def _trials(store: Store, study: Study) -> Iterator[tuple[Trial, Baselines]]:
    after: int | None = -1
    while after is not None:
        page = store.trials.page(study.id, after, MAX_PAGE)
        for trial in page.items:
            yield trial, page.baselines
        after = page.next_after


def main(arguments: Sequence[str] | None = None) -> int:
    """Log a study to MLflow. Both URLs come by the environment: TASKGRAFT_DATABASE_URL and TASKGRAFT_MLFLOW."""
    parser = argparse.ArgumentParser(prog=f"python -m {__spec__.name}", description=main.__doc__)
    parser.add_argument("study")
    parser.add_argument("--epoch", type=int, default=1, help="of the lease that the study ended under")
    parser.add_argument("--data-dir", type=Path, required=True)
    options = parser.parse_args(arguments)
    urls = [os.environ.get(name, "") for name in ("TASKGRAFT_DATABASE_URL", URI_VARIABLE)]
    if not all(urls):
        parser.error("TASKGRAFT_DATABASE_URL and TASKGRAFT_MLFLOW are required")
    try:
        with Store(urls[0]) as store:
            log_study(store, options.study, options.epoch, options.data_dir.absolute(), Tracking(urls[1]))
    except TaskgraftError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
