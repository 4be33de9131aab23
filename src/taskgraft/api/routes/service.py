"""The service itself: what can be asked for, whether it lives, whether it is ready."""

from datetime import timedelta

from fastapi import APIRouter

from taskgraft.api.context import StoreDep, problems
from taskgraft.api.schemas import Health, TemplateList, TemplateView
from taskgraft.errors import Unavailable
from taskgraft.space.templates.registry import TEMPLATES

router = APIRouter(tags=["service"])

RUNNER_SILENCE = timedelta(seconds=30)
"""How long a runner may be silent before it counts as gone."""


@router.get("/v1/templates")
def list_templates() -> TemplateList:
    """The templates that a study may name."""
    return TemplateList(items=[TemplateView.of(template) for _, template in sorted(TEMPLATES.items())])


@router.get("/healthz")
async def healthz() -> Health:
    """Whether the service lives."""
    return Health()


@router.get("/readyz", responses=problems(503))
def readyz(store: StoreDep) -> Health:
    """Whether the service can do its work: the database answers, and a runner takes studies."""
    store.ping()
    silence = store.runner_silence()
    if silence is None:
        raise Unavailable("no runner has shown itself yet")
    if silence > RUNNER_SILENCE:
        raise Unavailable(f"the runner has been silent for {silence.total_seconds():.0f} s")
    return Health()
