from collections.abc import Generator, Iterator
from contextlib import AbstractContextManager, nullcontext

import pytest

from taskgraft.evaluators.memory import keep_for_good, without_collector


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Keep the garbage collector from all that is imported here: it would search it again and again in every test."""
    with without_collector():
        collected = yield
    keep_for_good()
    return collected


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the files that take longest first, by what their slow tests say: no core waits for the last file."""
    seconds: dict[str, float] = {}
    for item in items:
        seconds[item.location[0]] = seconds.get(item.location[0], 0) + _seconds(item)
    items.sort(key=lambda item: -seconds[item.location[0]])


def _seconds(item: pytest.Item) -> float:
    """Return about how many seconds a test takes: those of ``slow(30)``; a slow test that says none takes 5."""
    marker = item.get_closest_marker("slow")
    return next(iter(marker.args), 5) if marker else 0


@pytest.fixture(scope="module")
def one_ray() -> Iterator[None]:
    """One Ray for all studies that a file runs in this process, of one core each: to start it takes seconds.

    Programs of their own, such as runners that are killed, have their own.
    """
    from taskgraft.search.running import pipeline
    from taskgraft.search.running.ray_session import ray_session
    from taskgraft.search.study.machines import Machines

    def shared(machines: Machines) -> AbstractContextManager[None]:
        assert machines == Machines(cores=1)
        return nullcontext()

    with ray_session(Machines(cores=1)), pytest.MonkeyPatch.context() as patch:
        patch.setattr(pipeline, "ray_session", shared)
        yield
