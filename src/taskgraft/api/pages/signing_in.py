"""Sign-in: a token that a person types once becomes a cookie, which only this service's pages send."""

from datetime import UTC, datetime

from fastapi import APIRouter, Request, Response
from fastapi.concurrency import run_in_threadpool
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import RedirectResponse

from taskgraft.api.middleware.cookies import clear_cookie, set_cookie
from taskgraft.api.middleware.tokens import Keyring
from taskgraft.api.pages.rendering import render
from taskgraft.errors import Conflict, NotAuthenticated
from taskgraft.search.study.token import Scope

router = APIRouter(include_in_schema=False)


class SignIn(BaseModel):
    """What the page posts."""

    model_config = ConfigDict(extra="forbid")

    token: str = Field(min_length=1, max_length=200)


@router.get("/sign-in")
async def sign_in_page(request: Request) -> Response:
    """Return the page that asks for a token; an open service leads on to its studies."""
    keyring: Keyring = request.app.state.keyring
    await run_in_threadpool(keyring.refresh)
    return RedirectResponse("/", 303) if keyring.is_empty else render(request, "sign_in.html")


@router.post("/sign-in", status_code=204)
async def sign_in(given: SignIn, request: Request, response: Response) -> None:
    """Keep a token as a cookie.

    Raises:
        NotAuthenticated: it is not a valid one.
        Conflict: the service is open.
    """
    keyring: Keyring = request.app.state.keyring
    await run_in_threadpool(keyring.refresh)
    try:
        token = keyring.admit(f"Bearer {given.token.strip()}", Scope.READ)
    except NotAuthenticated:
        raise NotAuthenticated("no valid token: it may be mistyped, expired or revoked") from None
    if token is None:
        raise Conflict("this service is open: it asks for no token")
    set_cookie(request, response, given.token.strip(), token.expires_at, datetime.now(UTC))


@router.post("/sign-out", status_code=204)
async def sign_out(response: Response) -> None:
    """Forget the token."""
    clear_cookie(response)
