"""How large a request's body may be, and how slowly it may come."""

import asyncio

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from taskgraft.api.middleware.answers import CLOSE, refuse

MAX_BODY = 1 << 20
"""Bytes that a request's body may have, uploads apart."""
_UPLOADS = "/v1/datasets/"
BYTES_PER_SECOND = 8_192
"""A body that comes at this rate or faster is never too slow."""


class BodyLimit:
    """Middleware that refuses bodies above a number of bytes, announced or not: ``uploads`` of them for datasets.

    A body may keep the service waiting for ``seconds``, and for a second more with every `BYTES_PER_SECOND` received.
    """

    def __init__(self, app: ASGIApp, limit: int = MAX_BODY, uploads: int = MAX_BODY, seconds: float = 20) -> None:
        self._app = app
        self._limit = limit
        self._uploads = uploads
        self._seconds = seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, counting what comes in."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        is_upload = scope["method"] == "PUT" and scope["path"].startswith(_UPLOADS)
        limit = self._uploads if is_upload else self._limit
        announced = Headers(scope=scope).get("content-length", "")
        if announced.isdigit() and int(announced) > limit:
            await refuse(413, _too_large(limit), CLOSE)(scope, receive, send)
            return
        await self._app(scope, _Body(receive, limit, self._seconds).receive, send)


class _Body:
    """A body on its way: bytes received, seconds waited for them."""

    def __init__(self, receive: Receive, limit: int, seconds: float) -> None:
        self._receive = receive
        self._limit = limit
        self._seconds = seconds
        self._received = 0
        self._waited = 0.0
        self._is_complete = False

    async def receive(self) -> Message:
        """Return the next part.

        Raises:
            HTTPException: it is too large, or too slow.
        """
        if self._is_complete:  # what may still come is the end of the connection, however late
            return await self._receive()
        message = await self._wait()
        self._received += len(message.get("body", b""))
        self._is_complete = not message.get("more_body", False)
        if self._received > self._limit:
            raise HTTPException(413, _too_large(self._limit), CLOSE)
        return message

    async def _wait(self) -> Message:
        now = asyncio.get_running_loop().time
        allowed = self._seconds + self._received / BYTES_PER_SECOND
        began = now()
        try:
            async with asyncio.timeout(allowed - self._waited):
                return await self._receive()
        except TimeoutError:
            rate = f"{BYTES_PER_SECOND:,} bytes a second"
            raise HTTPException(408, f"the body comes too slowly: less than {rate}", CLOSE) from None
        finally:
            self._waited += now() - began


def _too_large(limit: int) -> str:
    return f"a body has at most {limit} bytes"
