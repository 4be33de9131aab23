"""Handlers for everything that goes wrong: each error becomes problem details, never a traceback."""

from collections.abc import Sequence
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.routing import BaseRoute, Match
from starlette.types import Scope

from taskgraft.api.middleware.answers import answer_error, refuse
from taskgraft.errors import MAX_FAULTS, Fault, InvalidInput, MalformedInput, TaskgraftError
from taskgraft.search.study.spec import as_fault

_METHODS = ("DELETE", "GET", "HEAD", "PATCH", "POST", "PUT")


def install(app: FastAPI) -> None:
    """Give ``app`` its handlers; an error without a handler becomes an internal error."""
    app.add_exception_handler(TaskgraftError, _on_error)
    app.add_exception_handler(RequestValidationError, _on_invalid_request)
    app.add_exception_handler(HTTPException, _on_http)
    app.add_exception_handler(Exception, _on_unexpected)


async def _on_error(_: Request, error: Exception) -> Response:
    assert isinstance(error, TaskgraftError)
    return answer_error(error)


async def _on_invalid_request(_: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    if isinstance(error.body, bytes):
        return refuse(415, "the body is JSON: send it with Content-Type: application/json")
    return answer_error(_invalid(error.errors()))


def _invalid(errors: Sequence[Any]) -> InvalidInput:
    """Return FastAPI's findings as one Taskgraft error; field paths start below the body, the query or the header."""
    if errors[0]["type"] == "json_invalid":
        message = f"not JSON: {errors[0]['ctx']['error']} at character {errors[0]['loc'][1]}"
        return MalformedInput.at("body", message)
    faults = [as_fault({**error, "loc": error["loc"][1:]}) for error in errors[:MAX_FAULTS]]
    named = [fault if fault.where else Fault("body", fault.message) for fault in faults]
    return InvalidInput(named, len(errors) - len(named))


async def _on_http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    details = {404: f"there is nothing at {request.url.path}", 405: f"{request.method} is not allowed here"}
    headers = dict(error.headers or {})
    if error.status_code == 405:
        headers["Allow"] = ", ".join(_allowed(request))
    return refuse(error.status_code, details.get(error.status_code, error.detail), headers)


def _allowed(request: Request) -> list[str]:
    """Return the methods of all routes of a path: the router itself names those of the first one."""
    scope = {name: value for name, value in request.scope.items() if name not in ("fastapi", "path_params")}
    return [method for method in _METHODS if _is_route(request.app.routes, {**scope, "method": method})]


def _is_route(routes: Sequence[BaseRoute], scope: Scope) -> bool:
    return any(route.matches(scope)[0] is Match.FULL for route in routes)


async def _on_unexpected(_: Request, __: Exception) -> Response:
    return refuse(500, "an unexpected error; the service's log says which")
