"""The start of a worker process."""

from importlib import import_module

from taskgraft.evaluators.memory import keep_for_good, without_collector

_TRAINING = "taskgraft.search.running.tuner"


def prepare_worker() -> None:
    """Import what a training needs. Ray calls this when it starts a worker process."""
    with without_collector():
        import_module(_TRAINING)
    keep_for_good()
