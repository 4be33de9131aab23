"""A request as a value: what to send and how to read the response. Nothing is sent here, so both clients share it."""

import functools
import inspect
from abc import ABC, abstractmethod
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, ParamSpec, Self, TypeVar, get_args, overload
from urllib.parse import quote

import httpx

from taskgraft.api.problems import error_of
from taskgraft.errors import InvalidInput, Unavailable

JSON = dict[str, Any]
Answer = TypeVar("Answer")
Arguments = ParamSpec("Arguments")


@dataclass(frozen=True, slots=True)
class Call(Generic[Answer]):
    """One request to a service.

    ``read`` turns the body of a successful response into the answer. ``params`` that are None are left out.
    """

    method: str
    path: str
    read: Callable[[httpx.Response], Answer]
    params: Mapping[str, Any] = field(default_factory=dict)
    json: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def options(self) -> dict[str, Any]:
        """Return the keyword arguments of ``httpx.Client.request``, method and URL apart."""
        params = {name: value for name, value in self.params.items() if value is not None}
        return {"params": params, "json": self.json, "headers": dict(self.headers)}

    def answer(self, response: httpx.Response) -> Answer:
        """Read the response, whose body was received.

        Raises:
            TaskgraftError: the error that the service responded with.
            Unavailable: the response does not have the form that Taskgraft gives it.
        """
        if not response.is_success:
            raise error_of(response.status_code, response.text)
        try:
            return self.read(response)
        except (ValueError, LookupError, TypeError, InvalidInput) as error:
            where = f"{response.url.scheme}://{response.url.netloc.decode()}"
            raise Unavailable(f"{where} responds, but not as a Taskgraft service does") from error


def path(*parts: str) -> str:
    """Return the path below ``/v1``, each part quoted: an id from outside cannot lead elsewhere.

    >>> path("studies", "../x", "tree")
    '/v1/studies/..%2Fx/tree'
    """
    return "/".join(("/v1", *(quote(part, safe="") for part in parts)))


def as_json(response: httpx.Response) -> JSON:
    """Read a JSON object."""
    body = response.json()
    if not isinstance(body, dict):
        raise TypeError(f"an object; got {type(body).__name__}")
    return body


def as_items(response: httpx.Response) -> list[JSON]:
    """Read the list in a ``{"items": [...]}`` object."""
    return list(as_json(response)["items"])


def as_page(response: httpx.Response) -> tuple[list[JSON], str | None]:
    """Read the items of a page and the cursor of the next one."""
    return as_items(response), as_json(response)["next_cursor"]


def as_text(response: httpx.Response) -> str:
    """Read the body as text."""
    return response.text


def as_nothing(response: httpx.Response) -> None:
    """Read a response without a body."""


class BlockingSender(ABC):
    """A client whose calls return when the answer is there."""

    @abstractmethod
    def send(self, call: Call[Answer]) -> Answer:
        """Send the request and return its answer."""


class AsyncSender(ABC):
    """A client whose calls are awaited."""

    @abstractmethod
    async def send(self, call: Call[Answer]) -> Answer:
        """Send the request and return its answer."""


class Operation(Generic[Arguments, Answer]):
    """A function that builds a call, as a method of both clients: it sends what the function builds.

    The method has the function's arguments and docstring. It returns the answer in a `BlockingSender`, and a coroutine
    of the answer in an `AsyncSender`.
    """

    def __init__(self, build: Callable[Arguments, Call[Answer]]) -> None:
        self._build = build
        self.__doc__ = build.__doc__
        self.__wrapped__ = build

    @overload
    def __get__(self, client: None, owner: type) -> Self: ...
    @overload
    def __get__(self, client: BlockingSender, owner: type) -> Callable[Arguments, Answer]: ...
    @overload
    def __get__(self, client: AsyncSender, owner: type) -> Callable[Arguments, Coroutine[Any, Any, Answer]]: ...
    def __get__(self, client: BlockingSender | AsyncSender | None, owner: type) -> Any:
        if client is None:
            return self

        @functools.wraps(self._build)
        def method(*args: Arguments.args, **kwargs: Arguments.kwargs) -> Any:
            return client.send(self._build(*args, **kwargs))

        signature = inspect.signature(self._build)  # for help(): the answer, not the call that asks for it
        method.__signature__ = signature.replace(return_annotation=get_args(signature.return_annotation)[0])  # type: ignore[attr-defined]
        return method
