"""What routes are given: the settings, the store, the study that a path names, and what the service shares."""

from pathlib import Path
from typing import Annotated, Any

from fastapi import Depends, Request

from taskgraft.api.computing import Computations
from taskgraft.api.events import Streams
from taskgraft.api.matrices import Matrices
from taskgraft.api.problems import Problem
from taskgraft.api.settings import Settings
from taskgraft.search.running.artifacts import artifacts_dir
from taskgraft.search.store import Store
from taskgraft.search.study.study import Study


async def _settings(request: Request) -> Settings:
    settings: Settings = request.app.state.settings
    return settings


async def _store(request: Request) -> Store:
    store: Store = request.app.state.store
    return store


SettingsDep = Annotated[Settings, Depends(_settings)]
StoreDep = Annotated[Store, Depends(_store)]


def _study(study_id: str, store: StoreDep) -> Study:
    return store.get_study(study_id)


StudyDep = Annotated[Study, Depends(_study)]


async def _computations(request: Request) -> Computations:
    computations: Computations = request.app.state.computations
    return computations


async def _matrices(request: Request) -> Matrices:
    matrices: Matrices = request.app.state.matrices
    return matrices


async def _streams(request: Request) -> Streams:
    streams: Streams = request.app.state.streams
    return streams


ComputationsDep = Annotated[Computations, Depends(_computations)]
MatricesDep = Annotated[Matrices, Depends(_matrices)]
StreamsDep = Annotated[Streams, Depends(_streams)]


async def _files(study: StudyDep, settings: SettingsDep) -> Path:
    return artifacts_dir(settings.data_dir, study.id)


FilesDep = Annotated[Path, Depends(_files)]


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Return the answers of a route that are problem details, for the OpenAPI document."""
    return {status: {"model": Problem, "description": _WORDS[status]} for status in statuses}


_WORDS = {
    400: "the body or the range could not be read",
    404: "there is no such study, dataset or file",
    409: "the state of the study or the dataset does not allow it",
    413: "the body is too large",
    415: "the body is not of the type that is asked for",
    416: "the range lies outside the file",
    422: "every fault of the request, each with its field",
    500: "an unexpected error; the service's log says which",
    503: "the database or the runner does not answer",
}
