"""Names that the service goes by: a request for another one was led here by somebody else's DNS (DNS rebinding)."""

from collections.abc import Iterable

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from taskgraft.api.middleware.answers import CLOSE, refuse

_LOCAL = ("localhost", "127.0.0.1", "[::1]")
"""No page on the internet can have one of these names."""
_HTTP_PORT = 80


class Hosts:
    """The names of a service: its own address with its port, and those that its user allows, with or without one."""

    def __init__(self, bound: str, allowed: Iterable[str] = ()) -> None:
        self._bound = bound
        self._allowed = frozenset(name.lower() for name in allowed)

    def is_allowed(self, host: str) -> bool:
        """Return whether the user allows ``host``, as ``Host`` and ``Origin`` give it."""
        host = host.lower()
        return host in self._allowed or _without_port(host) in self._allowed

    def is_own(self, host: str, server: tuple[str, int | None] | None) -> bool:
        """Return whether ``host`` names the service on a connection to the address ``server``."""
        address, port = server or (self._bound, None)
        names = {name.lower() for name in (*_LOCAL, _bracketed(self._bound), _bracketed(address))}
        own = {f"{name}:{port}" for name in names} | (names if port == _HTTP_PORT else set())
        return host.lower() in own or self.is_allowed(host)


class HostCheck:
    """Middleware that refuses requests for other hosts: 421."""

    def __init__(self, app: ASGIApp, hosts: Hosts) -> None:
        self._app = app
        self._hosts = hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on if it is for this service."""
        if scope["type"] == "http":
            host = Headers(scope=scope).get("host", "")
            if not self._hosts.is_own(host, scope.get("server")):
                detail = f"this service does not go by the name {host!r:.80}; taskgraft serve --allowed-host adds one"
                await refuse(421, detail, CLOSE)(scope, receive, send)
                return
        await self._app(scope, receive, send)


def _bracketed(address: str) -> str:
    return f"[{address}]" if ":" in address and not address.startswith("[") else address


def _without_port(host: str) -> str:
    name, _, port = host.rpartition(":")
    return name if name and port.isdecimal() else host
