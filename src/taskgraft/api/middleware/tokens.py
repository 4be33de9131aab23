"""Who may ask for what: the token of a request, judged before its body is read."""

import time
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta

from anyio import CapacityLimiter, to_thread
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from taskgraft.api.middleware.answers import answer_error
from taskgraft.api.middleware.cookies import token_in
from taskgraft.errors import Forbidden, NotAuthenticated, TaskgraftError, Unavailable
from taskgraft.search.store.tokens import TokenTable
from taskgraft.search.study import token as tokens
from taskgraft.search.study.token import Scope as TokenScope
from taskgraft.search.study.token import Token

OPEN = frozenset({"/healthz", "/readyz", "/docs", "/openapi.json", "/sign-in", "/sign-out"})
"""Paths that tell nothing about studies; everything else needs a token as soon as there is one."""
_OPEN_BELOW = "/static/"
"""Style sheets and scripts of the pages, of the one to sign in among them."""
_READING = frozenset({"GET", "HEAD", "OPTIONS"})
_KEPT_SECONDS = 1.0
"""How long tokens are kept in memory: a new or a revoked one counts after this time at the latest."""
_NOTED = timedelta(minutes=5)
"""How coarsely it is kept when a token was last used."""
_NO_TOKEN = tokens.digest("", "")
_SCHEME = "bearer "


def is_open(path: str) -> bool:
    """Return whether a path needs no token."""
    return path in OPEN or path.startswith(_OPEN_BELOW)


class Keyring:
    """The tokens of a database, as they were a second ago at most: reading them is no part of a request."""

    def __init__(self, table: TokenTable) -> None:
        self._table = table
        self._known: Mapping[str, tuple[Token, str]] = {}
        self._read_at: float | None = None
        self._noted: dict[str, datetime] = {}

    @property
    def is_fresh(self) -> bool:
        """Whether it may be asked as it is."""
        return self._read_at is not None and time.monotonic() - self._read_at < _KEPT_SECONDS

    @property
    def is_empty(self) -> bool:
        """Return whether the service has no token at all, and is open."""
        return not self._known

    def refresh(self) -> None:
        """Read the tokens if they are too old.

        Raises:
            Unavailable: the database fails.
        """
        if not self.is_fresh:
            now = time.monotonic()
            self._known = self._table.digests()
            self._read_at = now

    def admit(self, authorization: str, needed: TokenScope) -> Token | None:
        """Return the token of a request; None if the service has none at all, and is open.

        Raises:
            NotAuthenticated: there is no token, or not a valid one; which of these is not said.
            Forbidden: its scope is too small.
        """
        if self.is_empty:
            return None
        token = self._find(authorization)
        if token is None or not token.is_valid(datetime.now(UTC)):
            raise NotAuthenticated
        if not token.scope.includes(needed):
            raise Forbidden(f"this takes a token of scope {needed}; the one given has scope {token.scope}")
        return token

    def _find(self, authorization: str) -> Token | None:
        if not authorization.lower().startswith(_SCHEME):
            return None
        shown = tokens.read_shown(authorization[len(_SCHEME) :].strip())
        if shown is None:
            return None
        token, digest = self._known.get(shown[0], (None, _NO_TOKEN))
        return token if tokens.is_same(tokens.digest(*shown), digest) else None

    def is_to_be_noted(self, token: Token) -> bool:
        """Return whether it should be kept that the token is used; says so once in `_NOTED`."""
        now, last = datetime.now(UTC), self._noted.get(token.id, token.last_used_at)
        if last is not None and now - last < _NOTED:
            return False
        self._noted[token.id] = now
        return True

    def note_use(self, token: Token) -> None:
        """Keep that the token was used. A database that fails is told by the request itself."""
        with suppress(Unavailable):
            self._table.note_use(token.id, datetime.now(UTC))


class TokenCheck:
    """Middleware that asks for a token if the service has any; routes find it in the request's state."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._one_reader = CapacityLimiter(1)
        """Threads of its own: those for requests may all be busy."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on if its token may send it."""
        if scope["type"] != "http" or is_open(scope["path"]):
            await self._app(scope, receive, send)
            return
        needed = TokenScope.READ if scope["method"] in _READING else TokenScope.WRITE
        try:
            token = await self._admit(scope["app"].state.keyring, scope, needed)
        except TaskgraftError as error:
            await answer_error(error)(scope, receive, send)
            return
        scope.setdefault("state", {})["token"] = token
        await self._app(scope, receive, send)

    async def _admit(self, keyring: Keyring, scope: Scope, needed: TokenScope) -> Token | None:
        if not keyring.is_fresh:
            await to_thread.run_sync(keyring.refresh, limiter=self._one_reader)
        token = keyring.admit(_shown(Headers(scope=scope), needed), needed)
        if token and keyring.is_to_be_noted(token):
            await to_thread.run_sync(keyring.note_use, token, limiter=self._one_reader)
        return token


def _shown(headers: Headers, needed: TokenScope) -> str:
    """Return the token of a request as `Authorization` shows it; a cookie counts in its absence.

    Browsers send cookies by themselves. Whatever changes something therefore needs the sender's name too: `Origin`,
    which the check before this one has found to be the service's own.

    Raises:
        Forbidden: a change that rests on a cookie does not say which page asks for it.
    """
    given = headers.get("authorization", "")
    cookie = "" if given else token_in(headers)
    if cookie and needed is not TokenScope.READ and "origin" not in headers:
        raise Forbidden("a change that is asked for with a cookie needs the header Origin")
    return f"Bearer {cookie}" if cookie else given
