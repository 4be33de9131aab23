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
    """Put the files that hold slow tests first, those with most of them in front: no core waits for the last file."""
    slow: dict[str, int] = {}
    for item in items:
        slow[item.location[0]] = slow.get(item.location[0], 0) + (item.get_closest_marker("slow") is not None)
    items.sort(key=lambda item: -slow[item.location[0]])
