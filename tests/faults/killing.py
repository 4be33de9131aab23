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
    runner, code = _ask([str(log), str(folder), study_id, moment])
    assert code == -signal.SIGKILL, log.read_text()
    _wait_until_gone(runner)


class Sleeper:
    """A runner that takes a study under a short lease as soon as it is free, and stops at a stage of it."""

    def __init__(self, folder: Path, study_id: str, stage: str) -> None:
        self._log = folder / f"{stage}.log"
        self._runner, code = _ask([str(self._log), str(folder), study_id, f"stop:{stage}"])
        assert code is None, self._log.read_text()

    def wake(self) -> str:
        """Let it go on to its end, and return what it said."""
        os.kill(self._runner, signal.SIGCONT)
        _, code = _ask(self._runner)
        said = self._log.read_text()
        assert code == 0, said
        _wait_until_gone(self._runner)
        return said


def _ask(line: object) -> tuple[int, int | None]:
    """Return number and exit code of the runner that a line is about."""
    starter = _starter()
    assert starter.stdin
    assert starter.stdout
    starter.stdin.write(json.dumps(line) + "\n")
    starter.stdin.flush()
    runner, code = json.loads(starter.stdout.readline())
    return runner, code


def _wait_until_gone(runner: int) -> None:
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
