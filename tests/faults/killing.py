"""Runners that are killed without warning: `tests.faults.dying` in a process of its own."""

import atexit
import json
import os
import signal
import subprocess
import sys
import time
from functools import cache
from pathlib import Path

import psutil

ROOT = Path(__file__).parents[2]


def run_until_killed(folder: Path, study_id: str, moment: str) -> None:
    """Start a runner that dies at a moment, and wait until it and all that it started are gone."""
    log = folder / "dying.log"
    starter = _starter()
    assert starter.stdin
    assert starter.stdout
    starter.stdin.write(json.dumps([str(log), str(folder), study_id, moment]) + "\n")
    starter.stdin.flush()
    runner, code = json.loads(starter.stdout.readline())
    assert code == -signal.SIGKILL, log.read_text()
    deadline = time.monotonic() + 60
    while left := members(runner):
        assert time.monotonic() < deadline, f"left behind: {left}"
        time.sleep(0.2)


@cache
def _starter() -> "subprocess.Popen[str]":
    """Start the process that forks the runners, once: it has imported what each of them would take seconds for."""
    command = [sys.executable, "-m", "tests.faults.dying"]
    starter = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    atexit.register(starter.communicate)  # its input ends, and so does it
    return starter


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
