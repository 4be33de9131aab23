"""The same study by the plain program and by ours, each measured from outside, and both held against a reference."""

import json
import os
import shutil
import sys
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.agreement import Agreement, agreement
from benchmarks.outcome import Outcome
from benchmarks.processes import Usage, measure
from benchmarks.studies import digest, reference_of
from taskgraft.search.spec import StudySpec

ROOT = Path(__file__).parents[1]
PLAIN, OURS, REFERENCE = "plain", "ours", "reference"
_TRAINING_STAGES = ("baselines", "pairs", "verification")


@dataclass(frozen=True, slots=True)
class SystemRow:
    """One program's run of a study."""

    outcome: Outcome
    usage: Usage
    agreement: Agreement | None
    """With the reference, where there is one."""

    def to_json(self) -> dict[str, Any]:
        """Plain data: seconds, bytes, fractions of 1."""
        held = self.agreement
        return {
            "cpu_seconds": round(self.usage.cpu_seconds, 2),
            "wall_seconds": round(self.usage.wall_seconds, 2),
            "trials": self.outcome.trials,
            "steps": self.outcome.steps,
            "peak_bytes": self.usage.peak_bytes,
            "pairs_that_agree": held and held.equal,
            "depth_difference": held and held.depth_difference,
            "parameters": self.outcome.parameters,
            "ar_test": self.outcome.ar,
            "verified": self.outcome.verified,
        }


@dataclass(frozen=True, slots=True)
class StudyRows:
    """One study by the programs that were asked for."""

    rows: Mapping[str, SystemRow]
    cores_in_search: float | None
    """Share of the time from the first baseline to the last pair in which every core trains, 0..1; of our run."""
    cores_in_training: float | None
    """The same up to the end of the verification."""

    @property
    def cpu_seconds_ratio(self) -> float | None:
        """Plain over ours; None where this run did not measure both."""
        if not {PLAIN, OURS} <= self.rows.keys():
            return None
        return self.rows[PLAIN].usage.cpu_seconds / self.rows[OURS].usage.cpu_seconds

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        return {
            "cpu_seconds_ratio": self.cpu_seconds_ratio,
            "all_cores_train_in_search": self.cores_in_search,
            "all_cores_train_in_training": self.cores_in_training,
            **{name: row.to_json() for name, row in self.rows.items()},
        }


def compare(spec: StudySpec, folder: Path, repeats: int, parts: Collection[str]) -> StudyRows:
    """Run the parts that are asked for, ours first (the shorter one); nothing but a reference is kept from earlier."""
    folder.mkdir(parents=True, exist_ok=True)
    reference = _reference(spec, folder, repeats, run=REFERENCE in parts)
    found = {name: run_program(name, spec, folder / name) for name in (OURS, PLAIN) if name in parts}
    rows = {
        name: SystemRow(outcome, usage, agreement(outcome.depths, reference.depths) if reference else None)
        for name, (outcome, usage) in found.items()
    }
    ours = found.get(OURS)
    return StudyRows(
        rows,
        ours and _busy_share(*ours, _TRAINING_STAGES[:2]),
        ours and _busy_share(*ours, _TRAINING_STAGES),
    )


def run_program(name: str, spec: StudySpec, folder: Path, *, again: bool = False) -> tuple[Outcome, Usage]:
    """One program in a process of its own, in an empty folder; ``again`` goes on with what the folder holds.

    Raises:
        ProgramFailed: it ended with an error.
    """
    if not again:
        shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True, exist_ok=True)
    study = folder / "study.json"
    study.write_text(json.dumps(spec.to_plain(), indent=1))
    command = [sys.executable, "-m", f"benchmarks.{name}", str(study), str(folder)]
    usage = measure(command, folder / "log.txt", ROOT, _environment())
    return Outcome.read(folder / "outcome.json"), usage


def _environment() -> dict[str, str]:
    """As the user has it, but Ray sends no usage statistics."""
    return {**os.environ, "RAY_USAGE_STATS_ENABLED": "0"}


def _reference(spec: StudySpec, folder: Path, repeats: int, *, run: bool) -> Outcome | None:
    """The reference's outcome: made or completed where asked for, else of an earlier run where there is one."""
    truth = reference_of(spec, repeats)
    place = folder / f"{REFERENCE}-{digest(truth)}"
    if not run and not (place / "outcome.json").exists():
        return None
    if not (place / "outcome.json").exists():
        run_program(OURS, truth, place, again=True)
    return Outcome.read(place / "outcome.json")


def _busy_share(outcome: Outcome, usage: Usage, stages: Collection[str]) -> float:
    """Share of the time between the first worker at work and the end of the stages in which every core trains."""
    starts = [at for at, stage in outcome.stages if stage in stages]
    ends = [at for at, stage in outcome.stages if stage not in stages and starts and at > starts[0]]
    working = [look.at for look in usage.looks if look.busy_workers]
    if not (ends and working):
        return 0.0
    return usage.share_with_busy_workers(os.cpu_count() or 1, working[0], min(ends[0], working[-1]))
