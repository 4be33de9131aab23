"""The experiment in MLflow that studies are logged to. Importing this imports MLflow."""

import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import TypeVar

from mlflow.entities import Metric, Param, Run
from mlflow.tracking import MlflowClient

from taskgraft.search.running.tracking.records import Record

T = TypeVar("T")

NAME = "taskgraft"
_FINISHED = "FINISHED"
_PARENT = "mlflow.parentRunId"
_AT_ONCE = 100
"""The most parameters that MLflow takes in one batch; of metrics it takes more."""


def _of_study(study_id: str, epoch: int) -> str:
    return f"tags.`taskgraft.study` = '{study_id}' AND tags.`taskgraft.epoch` = '{epoch}'"


def _batches(items: Iterable[T]) -> Iterator[list[T]]:
    rest = iter(items)
    while batch := list(islice(rest, _AT_ONCE)):
        yield batch


class Experiment:
    """The experiment ``taskgraft`` of an MLflow store.

    It is created if it is missing. A server says where its artifacts lie; those of a database lie in ``data_dir``.
    """

    def __init__(self, uri: str, data_dir: Path) -> None:
        self._client = MlflowClient(tracking_uri=uri)
        found = self._client.get_experiment_by_name(NAME)
        if found is None:
            is_server = uri.startswith("http")
            place = None if is_server else (data_dir / "mlflow").as_uri()
            self._id: str = self._client.create_experiment(NAME, artifact_location=place)
        else:
            self._id = found.experiment_id

    def has(self, study_id: str, epoch: int) -> bool:
        """Return whether a study was logged completely under this epoch."""
        return any(run.info.status == _FINISHED for run in self._runs(_of_study(study_id, epoch)))

    def remove_unfinished(self, study_id: str, epoch: int) -> None:
        """Remove what attempts left that broke off, nested runs first."""
        for run in self._runs(_of_study(study_id, epoch)):
            for nested in self._runs(f"tags.`{_PARENT}` = '{run.info.run_id}'"):
                self._client.delete_run(nested.info.run_id)
            self._client.delete_run(run.info.run_id)

    @contextmanager
    def run(self, record: Record) -> Iterator["StudyLog"]:
        """Make a run that counts as finished if the block ends well."""
        run_id = self._write(record)
        yield StudyLog(self, run_id)
        self._client.set_terminated(run_id, _FINISHED)

    def _runs(self, wanted: str) -> Sequence[Run]:
        found: list[Run] = []
        token: str | None = None
        while True:
            page = self._client.search_runs([self._id], wanted, page_token=token)
            found += page
            token = page.token
            if not token:
                return found

    def _write(self, record: Record, parent: str | None = None) -> str:
        tags = {**record.tags, **({_PARENT: parent} if parent else {})}
        run_id: str = self._client.create_run(self._id, tags=tags, run_name=record.name).info.run_id
        for parameters in _batches(record.parameters.items()):
            self._client.log_batch(run_id, params=[Param(*item) for item in parameters])
        now = int(time.time() * 1000)
        for points in _batches(record.points):
            self._client.log_batch(run_id, [Metric(name, value, now, step) for name, value, step in points])
        return run_id


class StudyLog:
    """The run of a study while it is written."""

    def __init__(self, experiment: Experiment, run_id: str) -> None:
        self._experiment = experiment
        self._run_id = run_id

    def log_folder(self, folder: Path) -> None:
        """Log a bundle."""
        self._experiment._client.log_artifacts(self._run_id, str(folder), "bundle")

    def log_nested(self, record: Record) -> None:
        """Log a training."""
        run_id = self._experiment._write(record, self._run_id)
        self._experiment._client.set_terminated(run_id, _FINISHED)
