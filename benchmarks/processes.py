"""What a program costs: CPU seconds, wall seconds and memory of a process and of everything that it starts.

The tree of processes is looked at four times a second. What a process does between the last look and its end is missed
(a quarter of a second at most), so the figure is a lower bound; it is lowest for programs that start many processes.
"""

import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

_INTERVAL = 0.25
_MEMORY_EVERY = 4
"""Looks between two looks at memory, which cost more."""
_BUSY = 0.8
_GRACE_SECONDS = 5.0
"""How long what a program leaves behind may take to end."""
_WORKER_TITLE = "ray::"
_GONE = (psutil.NoSuchProcess, psutil.AccessDenied, ProcessLookupError, PermissionError, FileNotFoundError)


@dataclass(frozen=True, slots=True)
class Look:
    """One look at the tree of processes."""

    at: float
    """Seconds since the epoch."""
    busy_workers: int
    """Ray workers that used at least 80 % of a core since the look before."""
    cpu_seconds: float = 0.0
    """What all processes have used up to now."""


@dataclass(frozen=True, slots=True)
class Usage:
    """What a program used, from its start to the end of the last process that it started."""

    cpu_seconds: float
    """User and system time of all processes."""
    wall_seconds: float
    peak_bytes: int
    """Largest sum of the processes' proportional set sizes: memory that several of them map counts once."""
    looks: tuple[Look, ...] = ()

    def cpu_seconds_by(self, at: float) -> float:
        """Return what all processes had used at the last look before a time (in seconds since the epoch)."""
        return max((look.cpu_seconds for look in self.looks if look.at <= at), default=0.0)

    def share_with_busy_workers(self, workers: int, start: float, end: float) -> float:
        """Return the share (0..1) of looks between two times (in seconds since the epoch) with so many busy workers."""
        inside = [look for look in self.looks if start <= look.at <= end]
        return sum(look.busy_workers >= workers for look in inside) / len(inside) if inside else 0.0


class ProgramFailed(Exception):
    """A measured program ended with an error; its output is in the log that the message names."""


def measure(command: Sequence[str], log: Path, cwd: Path, environment: Mapping[str, str] | None = None) -> Usage:
    """Run a command to its end, output and errors into ``log``.

    Raises:
        ProgramFailed: its exit status is not 0.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    started = time.perf_counter()
    with log.open("wb") as output:
        program = psutil.Popen(
            command,
            cwd=cwd,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        sampler = _Sampler(psutil.Process(program.pid))
        try:
            while program.poll() is None:
                sampler.look()
                time.sleep(_INTERVAL)
            sampler.look_until_gone(_GRACE_SECONDS)
        except BaseException:
            program.terminate()
            raise
    if program.returncode:
        raise ProgramFailed(f"{' '.join(command)} ended with status {program.returncode}; see {log}")
    return sampler.usage(time.perf_counter() - started)


class _Sampler:
    """A running sum of what every process that was ever seen below a root has used."""

    def __init__(self, root: psutil.Process) -> None:
        self._root = root
        self._used: dict[psutil.Process, float] = {}
        self._alive: set[psutil.Process] = set()
        self._looks: list[Look] = []
        self._peak = 0
        self._last = time.perf_counter()

    def look(self) -> None:
        """Look at every process once."""
        self._alive.add(self._root)
        with suppress(*_GONE):
            self._alive.update(self._root.children(recursive=True))
        now = time.perf_counter()
        enough, self._last = _BUSY * (now - self._last), now
        busy = sum(self._took(process) >= enough and _is_worker(process) for process in list(self._alive))
        if len(self._looks) % _MEMORY_EVERY == 0:
            self._peak = max(self._peak, sum(map(_proportional_bytes, self._alive)))
        self._looks.append(Look(time.time(), busy, sum(self._used.values())))

    def _took(self, process: psutil.Process) -> float:
        """Return CPU seconds since the last look; a process that ended is not looked at again."""
        try:
            if not process.is_running():
                raise psutil.NoSuchProcess(process.pid)
            times = process.cpu_times()
        except _GONE:
            self._alive.discard(process)
            return 0.0
        used = times.user + times.system
        before = self._used.get(process, used)  # whatever it used before it was first seen is no measure of now
        self._used[process] = max(before, used)
        return float(used - before)

    def look_until_gone(self, seconds: float) -> None:
        """Go on behind the end of the root while anything that it started is there, so long at most."""
        deadline = time.perf_counter() + seconds
        self.look()
        while self._alive - {self._root} and time.perf_counter() < deadline:
            time.sleep(_INTERVAL)
            self.look()

    def usage(self, wall_seconds: float) -> Usage:
        """Return all that was seen."""
        return Usage(sum(self._used.values()), wall_seconds, self._peak, tuple(self._looks))


def _is_worker(process: psutil.Process) -> bool:
    """Return whether this is a worker: Ray names its workers after what they run."""
    try:
        return str(process.cmdline()[0]).startswith(_WORKER_TITLE)
    except (*_GONE, IndexError):
        return False


def _proportional_bytes(process: psutil.Process) -> int:
    try:
        rollup = Path(f"/proc/{process.pid}/smaps_rollup").read_text()
    except (*_GONE, OSError):
        return 0
    return next((1024 * int(line.split()[1]) for line in rollup.splitlines() if line.startswith("Pss:")), 0)
