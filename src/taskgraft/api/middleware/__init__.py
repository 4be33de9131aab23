"""What every request passes before a route sees it, and every answer on its way out: one small ASGI class each."""

from fastapi import FastAPI

from taskgraft.api.middleware.bodies import BodyLimit
from taskgraft.api.middleware.hosts import HostCheck, Hosts
from taskgraft.api.middleware.json_bodies import JsonCheck
from taskgraft.api.middleware.origins import OriginCheck
from taskgraft.api.middleware.tokens import TokenCheck
from taskgraft.api.settings import Settings


def install(app: FastAPI, settings: Settings) -> None:
    """Have every request of ``app`` checked, the cheapest first: host, origin, token, body."""
    hosts = Hosts(settings.host, settings.allowed_hosts)
    app.add_middleware(JsonCheck)
    app.add_middleware(BodyLimit, uploads=settings.upload_bytes, seconds=settings.body_seconds)
    app.add_middleware(TokenCheck)
    app.add_middleware(OriginCheck, hosts=hosts)
    app.add_middleware(HostCheck, hosts=hosts)  # the last one added is the first that sees a request
