from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext

import pytest

from taskgraft.search.running import pipeline
from taskgraft.search.running.ray_session import ray_session
from taskgraft.search.study.machines import Machines


@pytest.fixture(scope="module")
def one_ray() -> Iterator[None]:
    """One Ray for all studies that a file runs in this process, of one core each: to start it takes seconds.

    Runners that are killed have their own.
    """

    def shared(machines: Machines) -> AbstractContextManager[None]:
        assert machines == Machines(cores=1)
        return nullcontext()

    with ray_session(Machines(cores=1)), pytest.MonkeyPatch.context() as patch:
        patch.setattr(pipeline, "ray_session", shared)
        yield
