"""The same study by the plain program and by strategies of ours, each measured from outside."""

import json
import os
import shutil
import sys
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

from benchmarks.agreement import Agreement, agreement
from benchmarks.estimate import Estimate
from benchmarks.outcome import Outcome, PlainSample
from benchmarks.processes import Usage, measure
from benchmarks.studies import digest, reference_of
from taskgraft.search.study.spec import Strategy, StudySpec

ROOT = Path(__file__).parents[1]
PLAIN, REFERENCE = "plain", "reference"
OURS = (Strategy.BISECTION.value, Strategy.GROUPS.value, Strategy.TREES.value)
"""Our programs are named after the strategy of the study."""
KNOWN = "known"
"""The program `trees` if the ledger already has the baselines."""
_TRAINING_STAGES = ("baselines", "pairs", "verification")


@dataclass(frozen=True, slots=True)
class SystemRow:
    """One program's run of a study."""

    outcome: Outcome
    usage: Usage
    agreement: Agreement | None
    """With the reference, where there is one."""

    @property
    def cost(self) -> Estimate:
        """Return the CPU seconds of the whole run."""
        return Estimate(self.usage.cpu_seconds)

    def to_json(self) -> dict[str, Any]:
        """Return plain data: seconds, bytes, fractions of 1."""
        held = self.agreement
        return {
            "cpu_seconds": round(self.usage.cpu_seconds, 2),
            "wall_seconds": round(self.usage.wall_seconds, 2),
            "trials": self.outcome.trials,
            "steps": self.outcome.steps,
            "peak_bytes": self.usage.peak_bytes,
            "pairs_that_agree": held and held.equal,
            "pairs_too_deep": held and held.too_deep,
            "depth_difference": held and held.depth_difference,
            "parameters": self.outcome.parameters,
            "ar_test": self.outcome.ar,
            "verified": self.outcome.verified,
            "cpu_seconds_by_stage": self._by_stage(),
            "all_cores_train_in_search": self._share_with_busy_cores(_TRAINING_STAGES[:2]),
            "all_cores_train_in_training": self._share_with_busy_cores(_TRAINING_STAGES),
        }

    def _by_stage(self) -> dict[str, float]:
        """Return the CPU seconds from the beginning of each stage to that of the next; ours only."""
        used: dict[str, float] = {}
        for (begin, stage), (end, _) in pairwise(self.outcome.stages):
            used[stage] = round(
                used.get(stage, 0.0) + self.usage.cpu_seconds_by(end) - self.usage.cpu_seconds_by(begin), 1
            )
        return used

    def _share_with_busy_cores(self, stages: Collection[str]) -> float | None:
        """Return the share of the time that every core trains, from the first worker at work to the end of the stages.

        None for the plain program, which does not tell its stages.
        """
        starts = [at for at, stage in self.outcome.stages if stage in stages]
        ends = [at for at, stage in self.outcome.stages if stage not in stages and starts and at > starts[0]]
        working = [look.at for look in self.usage.looks if look.busy_workers]
        if not (ends and working):
            return None
        return self.usage.share_with_busy_workers(os.cpu_count() or 1, working[0], min(ends[0], working[-1]))


@dataclass(frozen=True, slots=True)
class SampledRow:
    """The plain program's row when only some of its trainings were run: an estimated cost, and no tree."""

    sample: PlainSample
    usage: Usage

    @property
    def cost(self) -> Estimate:
        """Return the CPU seconds of the whole sweep."""
        return Estimate.of_sample(self.usage.cpu_seconds - self.sample.cpu_seconds, self.sample.strata)

    def to_json(self) -> dict[str, Any]:
        """Return plain data: seconds and counts."""
        return {
            "cpu_seconds": round(self.cost.value, 2),
            "cpu_seconds_interval": [round(end, 2) for end in self.cost.interval],
            "trials": self.sample.trials,
            "trials_sampled": self.sample.sampled,
        }


@dataclass(frozen=True, slots=True)
class StudyRows:
    """One study by the programs that were asked for."""

    rows: Mapping[str, SystemRow | SampledRow]

    def to_json(self) -> dict[str, Any]:
        """Return plain data."""
        return {**cpu_seconds_ratios([self]), **{name: row.to_json() for name, row in self.rows.items()}}


def cpu_seconds_ratios(studies: Iterable[StudyRows]) -> dict[str, dict[str, Any]]:
    """Return CPU seconds of plain over ours by program, summed over the studies that both ran, and 95 % intervals.

    An interval is the ratio itself if plain was not sampled.
    """
    studies = list(studies)
    ratios: dict[str, float] = {}
    intervals: dict[str, list[float]] = {}
    for name in (*OURS, KNOWN):
        both = [study.rows for study in studies if {PLAIN, name} <= study.rows.keys()]
        if both:
            plain, ours = (sum((rows[one].cost for rows in both), Estimate(0.0)) for one in (PLAIN, name))
            ratios[name] = plain.value / ours.value
            intervals[name] = [end / ours.value for end in plain.interval]
    return {"cpu_seconds_ratio": ratios, "cpu_seconds_ratio_interval": intervals}


def compare(
    spec: StudySpec, folder: Path, repeats: int, parts: Collection[str], sample: int | None = None
) -> StudyRows:
    """Run the parts that are asked for, ours first (the shorter ones); nothing but a reference is kept from earlier.

    With ``sample``, the plain program trains so many of its models only. Each program's row is written beside its
    folder as soon as it is there.
    """
    folder.mkdir(parents=True, exist_ok=True)
    reference = _reference(spec, folder, repeats, run=REFERENCE in parts)
    rows: dict[str, SystemRow | SampledRow] = {}
    for name in (*OURS, KNOWN, PLAIN):
        if name in parts:
            if name == PLAIN and sample:
                rows[name] = sample_plain(spec, folder / name, sample)
            else:
                run = run_with_known_baselines if name == KNOWN else partial(run_program, name)
                outcome, usage = run(spec, folder / name)
                held = agreement(outcome.depths, reference.depths) if reference else None
                rows[name] = SystemRow(outcome, usage, held)
            (folder / f"{name}.json").write_text(json.dumps(rows[name].to_json(), indent=1) + "\n")
    return StudyRows(rows)


def run_program(name: str, spec: StudySpec, folder: Path, *, again: bool = False) -> tuple[Outcome, Usage]:
    """Run one program in a process of its own, in an empty folder; ``again`` goes on with what the folder holds.

    A program is the plain one, a strategy of ours, or one that runs the study as it stands.

    Raises:
        ProgramFailed: it ended with an error.
    """
    if not again:
        shutil.rmtree(folder, ignore_errors=True)
    body = spec.to_plain() | ({"strategy": name} if name in OURS else {})
    usage = _run("plain" if name == PLAIN else "ours", body, folder)
    return Outcome.read(folder / "outcome.json"), usage


def run_with_known_baselines(spec: StudySpec, folder: Path) -> tuple[Outcome, Usage]:
    """Run `trees` if a study before it, which is not measured, has trained the baselines and nothing else.

    Raises:
        ProgramFailed: one of the two ended with an error.
    """
    body = spec.to_plain()
    baselines = {"strategy": Strategy.BISECTION.value, "budget": {"trials": len(spec.tasks)}}
    run_program(KNOWN, StudySpec.parse({**body, **baselines}), folder)
    return run_program(KNOWN, StudySpec.parse({**body, "strategy": Strategy.TREES.value}), folder, again=True)


def sample_plain(spec: StudySpec, folder: Path, size: int) -> SampledRow:
    """Run the plain program on ``size`` of its trainings, in a process of its own, in an empty folder.

    Raises:
        ProgramFailed: it ended with an error.
    """
    shutil.rmtree(folder, ignore_errors=True)
    usage = _run("plain", spec.to_plain(), folder, "--sample", str(size))
    return SampledRow(PlainSample.read(folder / "sample.json"), usage)


def _run(module: str, body: Mapping[str, Any], folder: Path, *options: str) -> Usage:
    folder.mkdir(parents=True, exist_ok=True)
    study = folder / "study.json"
    study.write_text(json.dumps(body, indent=1))
    command = [sys.executable, "-m", f"benchmarks.{module}", str(study), str(folder), *options]
    return measure(command, folder / "log.txt", ROOT, _environment())


def _environment() -> dict[str, str]:
    """Return the environment as the user has it, but Ray sends no usage statistics."""
    return {**os.environ, "RAY_USAGE_STATS_ENABLED": "0"}


def _reference(spec: StudySpec, folder: Path, repeats: int, *, run: bool) -> Outcome | None:
    """Return the reference's outcome: made or completed if asked for, else of an earlier run if there is one."""
    truth = reference_of(spec, repeats)
    place = folder / f"{REFERENCE}-{digest(truth)}"
    if not run and not (place / "outcome.json").exists():
        return None
    if not (place / "outcome.json").exists():
        run_program(REFERENCE, truth, place, again=True)
    return Outcome.read(place / "outcome.json")
