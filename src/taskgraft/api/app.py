"""The HTTP application: routes, problem details and the store put together."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI
from fastapi.routing import APIRoute
from prometheus_client import CollectorRegistry
from starlette.types import ASGIApp

from taskgraft.api import handlers, middleware, openapi
from taskgraft.api.computing import Computations
from taskgraft.api.context import problems
from taskgraft.api.events import Streams
from taskgraft.api.matrices import Matrices
from taskgraft.api.middleware.headers import SecurityHeaders
from taskgraft.api.middleware.tokens import Keyring
from taskgraft.api.pages.compressing import CompressPages
from taskgraft.api.pages.errors import ErrorPages
from taskgraft.api.pages.routers import ROUTERS
from taskgraft.api.routes import comparisons, datasets, events, files, metrics, results, service, studies
from taskgraft.api.settings import Settings
from taskgraft.api.uploads import sweep
from taskgraft.api.watching import WatchRequests, request_seconds
from taskgraft.evaluators.datasets.registry import KNOWN
from taskgraft.search.store import Store


class _App(FastAPI):
    """FastAPI whose answers all have the security headers, also those to errors that nobody expected."""

    def build_middleware_stack(self) -> ASGIApp:
        """Return the application with everything around it."""
        return SecurityHeaders(ErrorPages(super().build_middleware_stack()))


def _operation_id(route: APIRoute) -> str:
    return route.name


def create_app(settings: Settings) -> FastAPI:
    """Return the application over the store that ``settings`` name; it opens the store at startup, and never trains."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        with Store(settings.database_url) as store:
            app.state.store = store
            app.state.closing = asyncio.Event()
            app.state.computations = Computations(settings.database_url)
            app.state.matrices = Matrices(store, app.state.computations)
            app.state.streams = Streams(store, app.state.closing)
            app.state.keyring = Keyring(store.tokens)
            sweep(settings.data_dir, store)
            for known in KNOWN.values():
                known.report()  # from now on it is known; five first requests at once would each work it out
            try:
                yield
            finally:
                end_waits(app)

    app = _App(
        title="Taskgraft",
        version="1",
        summary="Finds, trains and proves the one tree-shaped audio model that answers all of a device's questions.",
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        responses=problems(500),
        separate_input_output_schemas=False,
        generate_unique_id_function=_operation_id,
    )
    app.state.settings = settings
    app.state.shown_trees = {}
    app.state.working = set()
    app.add_middleware(CompressPages)
    handlers.install(app)
    middleware.install(app, settings)
    of_process = CollectorRegistry()
    app.state.metrics = metrics.Metrics(of_process)
    app.add_middleware(WatchRequests, seconds=request_seconds(of_process))
    for module in (studies, comparisons, results, events, files, datasets, service, metrics):
        app.include_router(module.router)
    for router in ROUTERS:
        app.include_router(router)
    openapi.install(app)
    return app


def end_waits(app: FastAPI) -> None:
    """End event streams, and whatever requests wait for: the service is about to stop."""
    app.state.closing.set()
    app.state.computations.close()
