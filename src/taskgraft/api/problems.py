"""Problem details (RFC 9457): the error tree as it goes over the wire, and back."""

import http.client
from collections.abc import Mapping
from http import HTTPStatus
from types import MappingProxyType
from typing import Any, NamedTuple

from pydantic import BaseModel, Field, ValidationError

from taskgraft.errors import (
    Conflict,
    Fault,
    Forbidden,
    InvalidInput,
    LeaseLost,
    MalformedInput,
    NotAuthenticated,
    NotFound,
    QuotaExceeded,
    TaskgraftError,
    TrainingFailed,
    Unavailable,
)

MEDIA_TYPE = "application/problem+json"
_URN = "urn:taskgraft:problem:"


class FieldError(BaseModel):
    """One broken rule: the field's path and what the rule and the value are."""

    field: str = Field(examples=["tasks.0.name"])
    message: str = Field(examples=["is required"])


class Problem(BaseModel):
    """Why a request was not done."""

    type: str = Field(
        default="about:blank", description="what kind of problem: a stable name, or about:blank for plain HTTP"
    )
    title: str = Field(description="the kind in words")
    status: int = Field(description="the HTTP status", examples=[422])
    detail: str = Field(description="what happened this time")
    errors: list[FieldError] | None = Field(
        None, description="every fault of the body or the query, each with its field"
    )


class _Kind(NamedTuple):
    """How one class of the error tree goes over the wire."""

    status: HTTPStatus
    name: str
    title: str


KINDS: Mapping[type[TaskgraftError], _Kind] = MappingProxyType(
    {
        TaskgraftError: _Kind(HTTPStatus.INTERNAL_SERVER_ERROR, "error", "The service failed"),
        InvalidInput: _Kind(HTTPStatus.UNPROCESSABLE_ENTITY, "invalid-input", "Invalid input"),
        MalformedInput: _Kind(HTTPStatus.BAD_REQUEST, "malformed-input", "Malformed input"),
        NotAuthenticated: _Kind(HTTPStatus.UNAUTHORIZED, "not-authenticated", "A token is needed"),
        Forbidden: _Kind(HTTPStatus.FORBIDDEN, "forbidden", "Not allowed"),
        NotFound: _Kind(HTTPStatus.NOT_FOUND, "not-found", "Not found"),
        Conflict: _Kind(HTTPStatus.CONFLICT, "conflict", "Not allowed in this state"),
        LeaseLost: _Kind(HTTPStatus.CONFLICT, "lease-lost", "Another runner has taken the study"),
        QuotaExceeded: _Kind(HTTPStatus.TOO_MANY_REQUESTS, "quota-exceeded", "As much as the token may have"),
        Unavailable: _Kind(HTTPStatus.SERVICE_UNAVAILABLE, "unavailable", "Not available"),
        TrainingFailed: _Kind(HTTPStatus.INTERNAL_SERVER_ERROR, "training-failed", "The training failed"),
    }
)
"""Every class of the error tree; a test holds it complete."""


def problem_of(error: TaskgraftError) -> Problem:
    """Return an error of the tree as problem details."""
    kind = KINDS[next(base for base in type(error).__mro__ if base in KINDS)]
    errors = None
    if isinstance(error, InvalidInput):
        errors = [FieldError(field=fault.where, message=fault.message) for fault in error.listed()]
    return Problem(type=_URN + kind.name, title=kind.title, status=kind.status, detail=str(error), errors=errors)


def plain_problem(status: int, detail: str) -> Problem:
    """Return a problem that HTTP itself has a name for (unknown route, wrong method, too large a body)."""
    return Problem(title=_phrase(status), status=status, detail=detail, errors=None)


def problem_example(status: int, detail: str) -> dict[str, Any]:
    """Return a problem of this status as plain data: one of the error tree, or else one of HTTP itself."""
    for cls, kind in KINDS.items():
        if kind.status == status:
            error = cls([Fault("tasks.0.name", "is required")]) if issubclass(cls, InvalidInput) else cls(detail)
            return problem_of(error).model_dump(mode="json", exclude_none=True)
    return plain_problem(status, detail).model_dump(mode="json", exclude_none=True)


def error_of(status: int, body: str) -> TaskgraftError:
    """Return the error of the tree that an answer stands for, whether or not its body is problem details.

    >>> error_of(409, '{"title": "", "status": 409, "detail": "it runs"}')
    Conflict('it runs')
    """
    try:
        problem = Problem.model_validate_json(body)
    except ValidationError:
        problem = plain_problem(status, f"the service answered {status} {_phrase(status)}")
    cls = _class_of(problem.type, status)
    if issubclass(cls, InvalidInput):
        faults = [Fault(error.field, error.message) for error in problem.errors or ()]
        return cls(faults or [Fault("", problem.detail)])
    return cls(problem.detail)


def _class_of(name: str, status: int) -> type[TaskgraftError]:
    for cls, kind in KINDS.items():
        if name == _URN + kind.name:
            return cls
    for cls, kind in KINDS.items():
        if status == kind.status:
            return cls
    return InvalidInput if 400 <= status < 500 else Unavailable


def _phrase(status: int) -> str:
    return http.client.responses.get(status, "Unknown status")
