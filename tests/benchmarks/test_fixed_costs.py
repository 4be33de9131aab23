"""The profile of fixed costs, on programs whose use is known."""

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest
from benchmarks.phases import Clock

from benchmarks import small_study
from taskgraft.evaluators.datasets.check import check_manifest

ROOT = Path(__file__).parents[2]
_ORPHAN = "import time\nwhile time.process_time() < 1: pass\n"
_PARENT = f"import subprocess, sys; subprocess.Popen([sys.executable, '-c', {_ORPHAN!r}])"


def burn(seconds: float) -> None:
    end = time.process_time() + seconds
    while time.process_time() < end:
        pass


def test_processes_that_a_program_leaves_behind_count() -> None:
    program = (
        "import sys; from benchmarks import fixed_costs; import subprocess\n"
        "fixed_costs.adopt_orphans()\n"
        f"runner = subprocess.Popen([sys.executable, '-c', {_PARENT!r}])\n"
        "looks = fixed_costs.Looks(runner.pid)\n"
        "assert looks.until_gone(runner) == 0\n"
        "assert looks.seconds()['others'] > 0.8, looks.seconds()\n"
        "assert looks.counts() == {'runner': 1, 'others': 1}, looks.counts()\n"
    )
    done = subprocess.run([sys.executable, "-c", program], check=False, capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr


def test_time_counts_for_the_innermost_phase() -> None:
    clock = Clock()
    with clock.phase("outer"):
        burn(0.2)
        with clock.phase("inner"):
            burn(0.4)
    assert 0.2 <= clock.seconds["outer"] < 0.4 <= clock.seconds["inner"] < 0.8


def test_the_small_study_is_sound(tmp_path: Path) -> None:
    manifest = small_study.write_small_corpus(tmp_path / "tones")
    assert check_manifest(manifest).ok
    assert len(small_study.small_study(manifest).tasks) == 5


@pytest.mark.slow(20)
def test_a_profile_has_every_process_and_phase() -> None:
    """In a process of its own: whoever makes a profile becomes the parent of all orphans below it, for good."""
    command = [sys.executable, "-m", "benchmarks.fixed_costs", "--json"]
    done = subprocess.run(command, check=True, capture_output=True, text=True, cwd=ROOT)
    found = json.loads(done.stdout.splitlines()[-1])
    assert {"runner", "workers that train", "Ray: raylet", "Ray: gcs_server"} <= set(found["processes"])
    phases = found["phases of the runner"]
    assert {"imports", "features", "start of Ray", "Tune's loop", "reading of test", "export"} <= set(phases)
    assert 0 < found["trainings"] < found["processes"]["workers that train"]
    assert found["fixed"] == pytest.approx(sum(found["processes"].values()) - found["trainings"])
