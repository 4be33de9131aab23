"""Runners that are killed without warning: `tests.faults.dying` in a process of its own."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil

ROOT = Path(__file__).parents[2]


def run_until_killed(folder: Path, study_id: str, moment: str) -> None:
    """Start a runner that dies at a moment, and wait until it and all that it started are gone."""
    command = [sys.executable, "-m", "tests.faults.dying", str(folder), study_id, moment]
    log = folder / "dying.log"
    with log.open("w") as output:
        # In a session of its own, which all that it starts belongs to.
        runner = subprocess.Popen(command, cwd=ROOT, stdout=output, stderr=output, start_new_session=True)
        assert runner.wait() == -signal.SIGKILL, log.read_text()
    deadline = time.monotonic() + 60
    while left := members(runner.pid):
        assert time.monotonic() < deadline, f"left behind: {left}"
        time.sleep(0.2)


def members(session: int) -> list[str]:
    """Names of the processes of a session. (A mark in their environment would not do: Ray's overwrite theirs.)"""
    found = []
    for process in psutil.process_iter():
        try:
            if os.getsid(process.pid) == session and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process.name())
        except (psutil.Error, OSError):  # gone meanwhile, or somebody else's
            continue
    return found
