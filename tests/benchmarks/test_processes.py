"""Measuring a program from outside, on programs whose use is known."""

import sys
import time
from pathlib import Path

import pytest
from benchmarks.processes import Look, ProgramFailed, Usage, measure

BURN = "import time\nwhile time.process_time() < {seconds}: pass\n"
HOLD = "import time; held = bytearray(200 * 2**20); time.sleep(1.5)"


def test_the_time_of_child_processes_counts(tmp_path: Path) -> None:
    child = [sys.executable, "-c", BURN.format(seconds=2)]
    usage = measure([sys.executable, "-c", f"import subprocess; subprocess.run({child})"], tmp_path / "log", tmp_path)
    assert 1.5 <= usage.cpu_seconds <= 4
    assert usage.wall_seconds >= 2
    assert all(look.busy_workers == 0 for look in usage.looks)  # only Ray's workers are workers


def test_memory_is_what_is_held_at_the_most(tmp_path: Path) -> None:
    usage = measure([sys.executable, "-c", HOLD], tmp_path / "log", tmp_path)
    assert 200 * 2**20 <= usage.peak_bytes <= 300 * 2**20


def test_a_program_that_fails_says_where_its_output_is(tmp_path: Path) -> None:
    with pytest.raises(ProgramFailed, match=r"status 3.*log"):
        measure([sys.executable, "-c", "print('why'); raise SystemExit(3)"], tmp_path / "log", tmp_path)
    assert (tmp_path / "log").read_text() == "why\n"


def test_the_share_of_busy_cores_is_that_of_the_looks_in_between() -> None:
    now = time.time()
    usage = Usage(1.0, 1.0, 1, tuple(Look(now + at, busy) for at, busy in enumerate([0, 2, 1, 2, 2, 0])))
    assert usage.share_with_busy_workers(2, now + 1, now + 4) == 0.75
    assert usage.share_with_busy_workers(1, now + 1, now + 4) == 1.0
    assert usage.share_with_busy_workers(2, now + 10, now + 20) == 0.0
