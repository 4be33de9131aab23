"""Problem details as answers, for handlers of errors and for what answers before any route is reached."""

import json
from collections.abc import Mapping

from starlette.responses import Response

from taskgraft.api.busy import Busy
from taskgraft.api.problems import MEDIA_TYPE, Problem, plain_problem, problem_of
from taskgraft.errors import NotAuthenticated, TaskgraftError

CLOSE = {"Connection": "close"}
"""Header of an answer to a request whose body nobody will read."""
_ASK = {"WWW-Authenticate": 'Bearer realm="taskgraft"'}


def answer(problem: Problem, headers: Mapping[str, str] | None = None) -> Response:
    """Return the problem as an answer."""
    body = json.dumps(problem.model_dump(exclude_none=True))
    return Response(body, problem.status, headers, media_type=MEDIA_TYPE)


def refuse(status: int, detail: str, headers: Mapping[str, str] | None = None) -> Response:
    """Return a problem that HTTP itself has a name for as an answer."""
    return answer(plain_problem(status, detail), headers)


def answer_error(error: TaskgraftError) -> Response:
    """Return an error of the tree as an answer."""
    if isinstance(error, Busy):
        return answer(problem_of(error), {"Retry-After": str(error.retry_seconds)})
    return answer(problem_of(error), _ASK if isinstance(error, NotAuthenticated) else None)
