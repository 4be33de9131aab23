"""JSON bodies, judged before anything is made of them: no key twice, not too deep, not too many values.

Whatever validates a body afterwards takes time for every value of it, and names every fault. A megabyte of unknown
fields would take seconds, during which no other request is answered.
"""

import json
from typing import Any

from anyio import to_thread
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from taskgraft.api.middleware.answers import answer_error, refuse
from taskgraft.errors import InvalidInput, MalformedInput

MAX_VALUES = 10_000
"""Members of objects and items of lists that a body may have, all together; a study of 64 tasks has some hundreds."""
MAX_DEPTH = 32
_AT_ONCE = 1 << 14
"""Bytes of a body that is read on the spot; a larger one is read in a thread."""


class JsonCheck:
    """Middleware that refuses JSON which could not be read the same way by everybody, or is more than anybody needs."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on if its body is fine, or no JSON."""
        if scope["type"] != "http" or not _is_json(Headers(scope=scope).get("content-type", "")):
            await self._app(scope, receive, send)
            return
        try:
            parts = await _parts(receive)
            body = b"".join(part.get("body", b"") for part in parts)
            if len(body) <= _AT_ONCE:
                check_json(body)
            else:
                await to_thread.run_sync(check_json, body)
        except InvalidInput as error:
            await answer_error(error)(scope, receive, send)
        except HTTPException as error:
            await refuse(error.status_code, error.detail, error.headers)(scope, receive, send)
        else:
            await self._app(scope, _again(parts, receive), send)


def check_json(body: bytes) -> None:
    """Check a body; an empty one is left to whoever needs it.

    Raises:
        MalformedInput: it is no JSON, or has a key twice.
        InvalidInput: it is too deep, or has too many values.
    """
    if not body:
        return
    try:
        document = json.loads(body, object_pairs_hook=_object)
    except json.JSONDecodeError as error:
        raise MalformedInput.at("body", f"not JSON: {error.msg} at character {error.pos}") from None
    except UnicodeDecodeError as error:
        raise MalformedInput.at("body", f"not JSON: no text at byte {error.start}") from None
    except ValueError:
        raise MalformedInput.at("body", "a number has too many digits") from None
    except RecursionError:
        raise MalformedInput.at("body", _TOO_DEEP) from None
    _check_size(document)


_TOO_DEEP = f"lists and objects are nested at most {MAX_DEPTH} deep"
_TOO_MANY = f"a body has at most {MAX_VALUES:,} values"


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len(pairs) > MAX_VALUES:
        raise InvalidInput.at("body", _TOO_MANY)
    made = dict(pairs)
    if len(made) < len(pairs):
        seen: set[str] = set()
        twice = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
        raise MalformedInput.at("body", f"a key appears once in an object; got {twice!r:.80} twice")
    return made


def _check_size(document: Any) -> None:
    """Walk down level by level, and stop at the first limit."""
    level, values = [document], 0
    for _ in range(MAX_DEPTH + 1):
        below: list[Any] = []
        for value in level:
            inside = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
            values += len(inside)
            if values > MAX_VALUES:
                raise InvalidInput.at("body", _TOO_MANY)
            below += inside
        if not below:
            return
        level = below
    raise MalformedInput.at("body", _TOO_DEEP)


def _is_json(content_type: str) -> bool:
    media_type = content_type.partition(";")[0].strip().lower()
    return media_type == "application/json" or (media_type.startswith("application/") and media_type.endswith("+json"))


async def _parts(receive: Receive) -> list[Message]:
    parts = [await receive()]
    while parts[-1].get("more_body", False):
        parts.append(await receive())
    return parts


def _again(parts: list[Message], receive: Receive) -> Receive:
    """Return what gives the parts once more, and then what comes after them."""
    left = iter(parts)

    async def replay() -> Message:
        for part in left:
            return part
        return await receive()

    return replay
