"""What routes are given: the settings, the store, the study that a path names, and what the service shares."""

import pathlib
from typing import Annotated, Any

from fastapi import Depends, Path, Request

from taskgraft.api.computing import Computations
from taskgraft.api.events import Streams
from taskgraft.api.matrices import Matrices
from taskgraft.api.problems import Problem
from taskgraft.api.settings import Settings
from taskgraft.search.running.artifacts import artifacts_dir
from taskgraft.search.store import MAX_PAGE, Store
from taskgraft.search.store.rows import ID_PATTERN
from taskgraft.search.study.study import Study
from taskgraft.search.study.token import Token, check_may_change


async def _settings(request: Request) -> Settings:
    settings: Settings = request.app.state.settings
    return settings


async def _store(request: Request) -> Store:
    store: Store = request.app.state.store
    return store


async def _token(request: Request) -> Token | None:
    token: Token | None = request.state.token
    return token


SettingsDep = Annotated[Settings, Depends(_settings)]
StoreDep = Annotated[Store, Depends(_store)]


StudyId = Annotated[str, Path(description="as given when it was made", json_schema_extra={"pattern": ID_PATTERN})]
"""A path with another id is not found, as one that no study has."""


def _study(study_id: StudyId, store: StoreDep) -> Study:
    return store.get_study(study_id)


StudyDep = Annotated[Study, Depends(_study)]
TokenDep = Annotated[Token | None, Depends(_token)]
"""The token of the request; None if the service has none, and is open."""


async def _own_study(study: StudyDep, token: TokenDep) -> Study:
    check_may_change(token, study.made_by, f"study {study.id}")
    return study


OwnStudyDep = Annotated[Study, Depends(_own_study)]
"""The study of the path, which the token of the request may change."""


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


async def _files(study: StudyDep, settings: SettingsDep) -> pathlib.Path:
    return artifacts_dir(settings.data_dir, study.id)


FilesDep = Annotated[pathlib.Path, Depends(_files)]


PAGE: dict[str, Any] = {"minimum": 1, "maximum": MAX_PAGE}
"""How many items a page may have, for the OpenAPI document."""


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Return the answers of a route that are problem details, for the OpenAPI document."""
    return {status: {"model": Problem, "description": _WORDS[status]} for status in statuses}


_WORDS = {
    400: "the body or the range could not be read",
    401: "the service asks for a token, and got none that it knows",
    403: "the token may not do this, or another web page sent the request",
    404: "there is no such study, dataset or file",
    409: "the state of the study or the dataset does not allow it",
    408: "the body came too slowly",
    413: "the body is too large",
    415: "the body is not of the type that is asked for",
    416: "the range lies outside the file",
    421: "the service does not go by the name in `Host`",
    422: "every fault of the request, each with its field",
    429: "the token has as many unfinished studies, or stores as many bytes, as it may",
    500: "an unexpected error; the service's log says which",
    503: "the database or the runner does not answer",
}
