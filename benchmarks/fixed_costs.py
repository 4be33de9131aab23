"""``python -m benchmarks.fixed_costs``: the CPU seconds of a study that do not grow with it, by process and by phase.

The study is one of five tasks whose trainings take nearly nothing (`benchmarks.small_study`). All processes are
looked at twenty times a second, those too that the run leaves behind; what each does after its last look is missing.
"""

import argparse
import ctypes
import json
import os
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import psutil

from benchmarks.small_study import small_study, write_small_corpus

_INTERVAL = 0.05
_GRACE_SECONDS = 60.0
_PR_SET_CHILD_SUBREAPER = 36
_ROLES: Mapping[str, str] = {
    "gcs_server": "Ray: gcs_server",
    "raylet/raylet": "Ray: raylet",
    "dashboard/agent.py": "Ray: dashboard agent",
    "ray::DashboardAgent": "Ray: dashboard agent",
    "runtime_env/agent": "Ray: runtime-env agent",
    "ray::RuntimeEnvAgent": "Ray: runtime-env agent",
    "log_monitor.py": "Ray: log monitor",
    "autoscaler": "Ray: autoscaler monitor",
    "ray::IDLE": "idle workers",
    "default_worker.py": "idle workers",
    "ray::": "workers that train",
}
"""What a process is, by a part of its command line; the first one that fits."""
_OTHERS, _TRAINS = "others", "workers that train"
_AT_TRAINING = ".train"
"""End of the name that Ray gives a worker while it takes a step of Tune's: up to the next evaluation."""


@dataclass(frozen=True, slots=True)
class Profile:
    """What one run took, in CPU seconds."""

    trainings: float
    """Of the workers, the time within steps and evaluations."""
    processes: Mapping[str, float]
    phases: Mapping[str, float]
    """Of the runner's own process."""
    counts: Mapping[str, int]
    """How many processes of each role there were."""
    wall: float

    @property
    def fixed(self) -> float:
        """Return all but the trainings."""
        return sum(self.processes.values()) - self.trainings


def profile(folder: Path) -> Profile:
    """Run the small study in a process of its own and account for all that it starts.

    This process must have no other children. It stays the parent of every orphan below it.
    """
    manifest = write_small_corpus(folder / "tones")
    spec, report = folder / "study.json", folder / "phases.json"
    spec.write_text(json.dumps(small_study(manifest).to_plain()))
    adopt_orphans()
    started = time.perf_counter()
    command = [sys.executable, "-m", "benchmarks.phases", str(spec), str(folder / "run"), str(report)]
    with (folder / "log").open("wb") as log:
        runner = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        looks = Looks(runner.pid)
        status = looks.until_gone(runner)
    if status:
        raise RuntimeError(f"the run ended with status {status}: {(folder / 'log').read_text()[-2_000:]}")
    phases = json.loads(report.read_text())
    wall = time.perf_counter() - started
    return Profile(looks.trainings, looks.seconds(), phases, looks.counts(), wall)


def adopt_orphans() -> None:
    """Become the parent of every process whose own parent ends below this one."""
    if ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "processes that a run leaves behind can't be accounted for")


class Looks:
    """What every process below this one used when it was last seen, and what it was then."""

    def __init__(self, runner: int) -> None:
        self._runner = runner
        self._used: dict[tuple[int, float], tuple[str, float]] = {}
        self.trainings = 0.0

    def until_gone(self, runner: "subprocess.Popen[bytes]") -> int:
        """Look until the runner and all that it started are gone; return the runner's exit status."""
        deadline = None
        while self._look() or runner.poll() is None:
            if runner.poll() is not None:
                deadline = deadline or time.perf_counter() + _GRACE_SECONDS
                if time.perf_counter() > deadline:
                    raise RuntimeError(f"still there: {[one.cmdline() for one in psutil.Process().children()]}")
                self._reap()
            time.sleep(_INTERVAL)
        return runner.returncode

    def _reap(self) -> None:
        with suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass

    def _look(self) -> int:
        """Look at every process once; return how many there are."""
        processes = psutil.Process().children(recursive=True)
        for process in processes:
            with suppress(psutil.Error):
                self._add(process)
        return len(processes)

    def _add(self, process: psutil.Process) -> None:
        times, command = process.cpu_times(), " ".join(process.cmdline()).rstrip()
        key, now = (process.pid, process.create_time()), times.user + times.system
        role, before = self._used.get(key, (_OTHERS, 0.0))
        self._used[key] = self._role(process, command, role), now
        if command.endswith(_AT_TRAINING):
            self.trainings += now - before

    def _role(self, process: psutil.Process, command: str, before: str) -> str:
        if process.pid == self._runner:
            return "runner"
        role = next((role for part, role in _ROLES.items() if part in command), before)
        return before if before == _TRAINS else role

    def seconds(self) -> dict[str, float]:
        """Return the CPU seconds of each role."""
        found: dict[str, float] = defaultdict(float)
        for role, used in self._used.values():
            found[role] += used
        return dict(sorted(found.items(), key=lambda item: -item[1]))

    def counts(self) -> dict[str, int]:
        """Return how many processes each role had."""
        found: dict[str, int] = defaultdict(int)
        for role, _ in self._used.values():
            found[role] += 1
        return dict(found)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.fixed_costs", description=__doc__)
    parser.add_argument("--runs", type=int, default=1, help="runs; the figures are medians (default 1)")
    parser.add_argument("--json", action="store_true", help="end with one line of JSON")
    options = parser.parse_args()
    profiles = []
    for _ in range(options.runs):
        with tempfile.TemporaryDirectory() as folder:
            profiles.append(profile(Path(folder)))
    found = {
        "fixed": median(one.fixed for one in profiles),
        "trainings": median(one.trainings for one in profiles),
        "wall": median(one.wall for one in profiles),
        "processes": _medians([one.processes for one in profiles]),
        "phases of the runner": _medians([one.phases for one in profiles]),
    }
    _show(found, profiles[-1].counts)
    if options.json:
        print(json.dumps(found))


def _medians(rows: list[Mapping[str, float]]) -> dict[str, float]:
    return {name: median(row.get(name, 0.0) for row in rows) for name in rows[0]}


def _show(found: Mapping[str, object], counts: Mapping[str, int]) -> None:
    """Print CPU seconds, one figure a line."""
    for name, value in found.items():
        if not isinstance(value, Mapping):
            print(f"{name}: {value:.2f}")
            continue
        print(name)
        for part, seconds in value.items():
            print(f"  {part}{f' ({counts[part]})' if part in counts else ''}: {seconds:.2f}")


if __name__ == "__main__":
    main()
