"""The cores that a study may use."""

import os
import subprocess
import sys

import pytest

from taskgraft.errors import InvalidInput
from taskgraft.search.study.machines import Machines, usable_cores


def test_no_core_is_too_few() -> None:
    assert Machines(cores=1).cores == 1
    with pytest.raises(InvalidInput, match="cores: 1 or more; got 0"):
        Machines(cores=0)


def test_a_cluster_has_its_own_cores() -> None:
    assert Machines("ray:6379").cores is None
    with pytest.raises(InvalidInput, match="leave it out with ray:6379"):
        Machines("ray:6379", 2)


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="this system does not bind processes to cores")
def test_cores_that_a_process_may_not_use_do_not_count() -> None:
    program = """if True:
        import os
        from taskgraft.search.study.machines import usable_cores
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
        print(usable_cores())
    """
    assert subprocess.run([sys.executable, "-c", program], capture_output=True, check=True, text=True).stdout == "1\n"
    assert 1 <= usable_cores() <= (os.cpu_count() or 1)
