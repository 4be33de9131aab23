"""The cookie of a person who has signed in: a token, which browsers send to this host alone (`docs/security.md`)."""

from datetime import datetime, timedelta

from starlette.datastructures import Headers
from starlette.requests import Request, cookie_parser
from starlette.responses import Response

_NAME = "taskgraft_token"
_LONGEST = timedelta(days=7)
"""After so long a person signs in again, even if the token holds on."""


def has_cookie(headers: Headers) -> bool:
    """Return whether a request shows a token by cookie, valid or not."""
    return bool(token_in(headers))


def token_in(headers: Headers) -> str:
    """Return the token that a request shows by cookie; empty if there is none."""
    return cookie_parser(headers.get("cookie", "")).get(_NAME, "")


def set_cookie(request: Request, response: Response, shown: str, expires_at: datetime | None, now: datetime) -> None:
    """Have a browser keep a token: out of reach of scripts and of other sites, until it expires at most."""
    longest = _LONGEST if expires_at is None else min(_LONGEST, expires_at - now)
    response.set_cookie(
        _NAME,
        shown,
        max_age=int(longest.total_seconds()),
        path="/",
        secure=_is_https(request),
        httponly=True,
        samesite="strict",
    )


def clear_cookie(response: Response) -> None:
    """Have a browser forget the token."""
    response.delete_cookie(_NAME, path="/", httponly=True, samesite="strict")


def _is_https(request: Request) -> bool:
    """Return whether the browser speaks HTTPS, if only to a proxy in front of the service: its `Origin` says so."""
    return request.url.scheme == "https" or request.headers.get("origin", "").startswith("https://")
