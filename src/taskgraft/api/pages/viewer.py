"""Who looks at a page, and what this person may do: pages offer nothing that the service would refuse."""

from dataclasses import dataclass

from starlette.requests import Request

from taskgraft.api.middleware.cookies import has_cookie
from taskgraft.search.study.token import Scope, Token


@dataclass(frozen=True, slots=True)
class Viewer:
    """The token of a page's request: None if the service is open, or on a page that anybody may see."""

    token: Token | None
    is_signed_in: bool

    @classmethod
    def of(cls, request: Request) -> "Viewer":
        """Return who sent a request."""
        token: Token | None = getattr(request.state, "token", None)
        return cls(token, has_cookie(request.headers))

    @property
    def may_write(self) -> bool:
        """Whether studies and datasets may be made."""
        return self.token is None or self.token.scope.includes(Scope.WRITE)

    def may_change(self, made_by: str | None) -> bool:
        """Return whether what the token ``made_by`` made may be changed."""
        return self.token is None or self.token.may_change(made_by)
