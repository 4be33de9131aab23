import gc
import os
import subprocess
import sys
from contextlib import suppress

import pytest

from taskgraft.evaluators.memory import without_collector

_FAULTS = """
import resource, sys, torch
from taskgraft.evaluators.memory import keep_freed_memory
if sys.argv[1] == "kept":
    keep_freed_memory()
def work():
    tensors = [torch.ones(2**20) for _ in range(8)]  # 4 MiB each
work()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(20):
    work()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def faults(way: str) -> int:
    """Count the page faults of 20 rounds of 8 tensors in a process of its own.

    The threshold is the one that a process starts with. If it is not set, malloc raises it at the first large tensor
    that is freed, and what lies at the end of the heap by chance decides whether memory goes back to the kernel.
    """
    environment = {**os.environ, "MALLOC_MMAP_THRESHOLD_": "131072"}
    command = [sys.executable, "-c", _FAULTS, way]
    return int(subprocess.run(command, check=True, capture_output=True, env=environment).stdout)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="mallopt is glibc's")
def test_memory_that_was_freed_is_used_again_with_fewer_page_faults() -> None:
    assert faults("kept") < faults("as it is") / 2


def collecting() -> bool:
    return gc.isenabled()


def test_the_collector_runs_again_afterwards_if_it_ran_before() -> None:
    assert collecting()
    with suppress(KeyError), without_collector():
        assert not collecting()
        raise KeyError
    assert collecting()


def test_a_collector_that_was_off_stays_off() -> None:
    gc.disable()
    try:
        with without_collector(), without_collector():
            pass
        assert not collecting()
    finally:
        gc.enable()
