"""A program that takes so much memory while its workers train that Ray kills them."""

import os
import sys
from pathlib import Path

import psutil
from benchmarks.loop import simulated_data

from taskgraft.evaluators.optimisation.optimisation import Optimisation
from taskgraft.evaluators.training import Schedule
from taskgraft.search.running.jobs import Job
from taskgraft.search.running.ray_session import ray_session
from taskgraft.search.running.tuner import run_jobs
from taskgraft.search.study.machines import Machines
from taskgraft.search.study.trial import Training
from taskgraft.space.tree import BranchTree
from tests.search.running.test_tuner import Queue

ALLOWED, TAKEN = 0.15, 0.25
"""Shares of the machine's memory: what Ray and its workers may use, and what this program takes beside them."""


def main(folder: Path) -> None:
    memory = psutil.virtual_memory()
    limit = 1 - memory.available / memory.total + ALLOWED
    os.environ |= {"RAY_memory_usage_threshold": f"{limit:.3f}", "RAY_memory_monitor_refresh_ms": "100"}
    data = simulated_data(folder, 1000)
    driver = Queue([Job(Training(BranchTree.flat((task,), 8, 8)), 0, {}, 100) for task in data.tasks])
    taken: list[bytes] = []

    def take(job: Job, fraction: float, worker: str) -> None:
        if not taken:
            taken.append(b"x" * int(TAKEN * memory.total))

    driver.progress = take
    with ray_session(Machines(cores=2)):
        run_jobs(driver, data, Schedule(100, 32, Optimisation(1e-3)), folder / "tune")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
