"""Handlers for everything that goes wrong: each error becomes problem details, never a traceback."""

import json
from collections.abc import Sequence
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from taskgraft.api.busy import Busy
from taskgraft.api.problems import MEDIA_TYPE, Problem, plain_problem, problem_of
from taskgraft.errors import Fault, InvalidInput, MalformedInput, TaskgraftError
from taskgraft.search.study.spec import as_fault

MAX_BODY = 1 << 20
"""Bytes that a request's body may have, uploads apart."""
_UPLOADS = "/v1/datasets/"


class BodyLimit:
    """Middleware that refuses bodies above a number of bytes, announced or not: ``uploads`` of them for datasets."""

    def __init__(self, app: ASGIApp, limit: int = MAX_BODY, uploads: int = MAX_BODY) -> None:
        self._app = app
        self._limit = limit
        self._uploads = uploads

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, counting what comes in."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        is_upload = scope["method"] == "PUT" and scope["path"].startswith(_UPLOADS)
        limit = self._uploads if is_upload else self._limit
        announced = Headers(scope=scope).get("content-length", "")
        if announced.isdigit() and int(announced) > limit:
            await _respond(_too_large(limit))(scope, receive, send)
            return
        received = 0

        async def counted() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > limit:
                raise HTTPException(413, _too_large(limit).detail)
            return message

        await self._app(scope, counted, send)


def _too_large(limit: int) -> Problem:
    return plain_problem(413, f"a body has at most {limit} bytes")


def install(app: FastAPI, upload_bytes: int = MAX_BODY) -> None:
    """Give ``app`` its handlers; an error without a handler becomes an internal error."""
    app.add_middleware(BodyLimit, uploads=upload_bytes)
    app.add_exception_handler(TaskgraftError, _on_error)
    app.add_exception_handler(RequestValidationError, _on_invalid_request)
    app.add_exception_handler(HTTPException, _on_http)
    app.add_exception_handler(Exception, _on_unexpected)


async def _on_error(_: Request, error: Exception) -> Response:
    assert isinstance(error, TaskgraftError)
    headers = {"Retry-After": str(error.retry_seconds)} if isinstance(error, Busy) else {}
    return _respond(problem_of(error), headers)


async def _on_invalid_request(_: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    if isinstance(error.body, bytes):
        return _respond(plain_problem(415, "the body is JSON: send it with Content-Type: application/json"))
    return _respond(problem_of(_invalid(error.errors())))


def _invalid(errors: Sequence[Any]) -> InvalidInput:
    """Return FastAPI's findings as one Taskgraft error; field paths start below the body, the query or the header."""
    if errors[0]["type"] == "json_invalid":
        message = f"not JSON: {errors[0]['ctx']['error']} at character {errors[0]['loc'][1]}"
        return MalformedInput.at("body", message)
    faults = [as_fault({**error, "loc": error["loc"][1:]}) for error in errors]
    return InvalidInput(fault if fault.where else Fault("body", fault.message) for fault in faults)


async def _on_http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    details = {404: f"there is nothing at {request.url.path}", 405: f"{request.method} is not allowed here"}
    problem = plain_problem(error.status_code, details.get(error.status_code, error.detail))
    return _respond(problem, dict(error.headers or {}))


async def _on_unexpected(_: Request, __: Exception) -> Response:
    return _respond(plain_problem(500, "an unexpected error; the service's log says which"))


def _respond(problem: Problem, headers: dict[str, str] | None = None) -> Response:
    body = json.dumps(problem.model_dump(exclude_none=True))
    return Response(body, problem.status, headers, media_type=MEDIA_TYPE)
