"""Taskgraft finds the tree-shaped multi-task audio model that keeps the accuracy of separate models.

Run a study on local data, or talk to a running service::

    import taskgraft

    outcome = taskgraft.run("study.yaml")
    answers = taskgraft.load_bundle(outcome.bundle).predict(samples, 16_000)

    with taskgraft.Client("http://127.0.0.1:8080") as client:
        study = client.wait(client.create_study(spec)["id"])

Nothing is imported before it is used: ``import taskgraft`` takes milliseconds, and torch is imported by `run` alone.
"""

from importlib import import_module
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from taskgraft.api.client import AsyncClient, Client
    from taskgraft.api.local_runs import run
    from taskgraft.api.runs import Outcome
    from taskgraft.errors import (
        Conflict,
        Forbidden,
        InvalidInput,
        MalformedInput,
        NotAuthenticated,
        NotFound,
        QuotaExceeded,
        TaskgraftError,
        TrainingFailed,
        Unavailable,
    )
    from taskgraft.evaluators.prediction import Bundle, load_bundle
    from taskgraft.search.study.spec import StudySpec
    from taskgraft.space.matrix import ReductionMatrix
    from taskgraft.space.synthesis import synthesize
    from taskgraft.space.templates.registry import get_template
    from taskgraft.space.tree import BranchTree

    __version__: str

_HOMES = MappingProxyType(
    {
        "taskgraft.api.client": ("AsyncClient", "Client"),
        "taskgraft.api.local_runs": ("run",),
        "taskgraft.api.runs": ("Outcome",),
        "taskgraft.errors": (
            "Conflict",
            "Forbidden",
            "InvalidInput",
            "MalformedInput",
            "NotAuthenticated",
            "NotFound",
            "QuotaExceeded",
            "TaskgraftError",
            "TrainingFailed",
            "Unavailable",
        ),
        "taskgraft.evaluators.prediction": ("Bundle", "load_bundle"),
        "taskgraft.search.study.spec": ("StudySpec",),
        "taskgraft.space.matrix": ("ReductionMatrix",),
        "taskgraft.space.synthesis": ("synthesize",),
        "taskgraft.space.templates.registry": ("get_template",),
        "taskgraft.space.tree": ("BranchTree",),
    }
)
"""Where each public name is defined."""

__all__ = [
    "AsyncClient",
    "BranchTree",
    "Bundle",
    "Client",
    "Conflict",
    "Forbidden",
    "InvalidInput",
    "MalformedInput",
    "NotAuthenticated",
    "NotFound",
    "Outcome",
    "QuotaExceeded",
    "ReductionMatrix",
    "StudySpec",
    "TaskgraftError",
    "TrainingFailed",
    "Unavailable",
    "__version__",
    "get_template",
    "load_bundle",
    "run",
    "synthesize",
]


if not TYPE_CHECKING:  # a type checker would take every misspelt name for one that exists

    def __getattr__(name: str) -> Any:
        """Import a public name when it is first used (PEP 562)."""
        if name == "__version__":
            value: Any = import_module("importlib.metadata").version("taskgraft")
        else:
            home = next((module for module, names in _HOMES.items() if name in names), None)
            if home is None:
                raise AttributeError(f"module 'taskgraft' has no attribute {name!r}")
            value = getattr(import_module(home), name)
        globals()[name] = value
        return value


def __dir__() -> list[str]:
    return sorted(__all__)
