from collections.abc import Generator

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
