"""``python -m benchmarks.verdicts``: what each strategy delivers on real recordings, with several seeds each.

Runs a study (``--study``, bench-recorded.yaml by default) with every strategy and seed, each in a process of its own
and an empty folder, as `make bench` does. Prints a row for each: trainings, CPU seconds, the share of the search in
which all cores trained, verdict and AR on test, and the parameters of the model; then the means of each strategy.
"""

import argparse
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import numpy as np

from benchmarks.comparison import SystemRow, run_program
from benchmarks.outcome import Outcome
from benchmarks.processes import Usage
from benchmarks.studies import STUDIES, load_study
from taskgraft.search.study.spec import Strategy, StudySpec
from taskgraft.search.study.training_spec import Start


@dataclass(frozen=True, slots=True)
class Delivered:
    """What one study delivered, and what it took."""

    strategy: Strategy
    seed: int
    outcome: Outcome
    usage: Usage

    @property
    def busy(self) -> float | None:
        """The share of the search in which every core trained."""
        share: float | None = SystemRow(self.outcome, self.usage, None).to_json()["all_cores_train_in_search"]
        return share

    def cells(self) -> tuple[str, ...]:
        """Return the cells of the table's row."""
        return (
            self.strategy.value,
            str(self.seed),
            f"{self.outcome.trials}",
            f"{self.outcome.steps:,}",
            f"{self.usage.cpu_seconds:.0f}",
            f"{self.usage.wall_seconds:.0f}",
            "-" if self.busy is None else f"{self.busy:.0%}",
            str(self.outcome.verdict).replace("_", " "),
            f"{self.outcome.ar:.2%}",
            f"{self.outcome.parameters:,}",
        )


_HEADS = (
    "strategy",
    "seed",
    "trainings",
    "steps",
    "CPU s",
    "wall s",
    "all cores train",
    "verdict",
    "AR on test",
    "parameters",
)


def asked(spec: StudySpec, strategies: Sequence[Strategy], seeds: int) -> Iterator[StudySpec]:
    """Yield the study with every strategy and so many seeds, its own first."""
    for strategy, seed in product(strategies, range(seeds)):
        yield StudySpec.parse({**spec.to_plain(), "strategy": strategy.value, "seed": spec.seed + seed})


def deliver(spec: StudySpec, folder: Path) -> Delivered:
    """Run a study in a process of its own and an empty folder."""
    name = spec.strategy.value
    return Delivered(spec.strategy, spec.seed, *run_program(name, spec, folder / f"{name}-{spec.seed}"))


def summary(strategy: Strategy, found: Sequence[Delivered]) -> str:
    """Return one line: means over the seeds of a strategy, and how often each verdict came out."""
    verdicts = Counter(str(one.outcome.verdict).replace("_", " ") for one in found)
    told = ", ".join(f"{count} {verdict}" for verdict, count in sorted(verdicts.items()))
    trainings, seconds, ar, parameters = np.mean(
        [(one.outcome.trials, one.usage.cpu_seconds, one.outcome.ar, one.outcome.parameters) for one in found], axis=0
    )
    means = f"{trainings:.1f} trainings, {seconds:.0f} CPU s, AR {ar:.2%}, {parameters:,.0f} parameters"
    return f"{strategy.value}: {told}; means of {len(found)}: {means}"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.verdicts", description=__doc__)
    parser.add_argument("--study", type=Path, default=STUDIES["recorded"], help="a study file (bench-recorded.yaml)")
    parser.add_argument("--strategy", action="append", type=Strategy, help="this one only; may be repeated (all)")
    parser.add_argument("--seeds", type=int, default=3, help="seeds of each strategy (default 3)")
    parser.add_argument("--start", type=Start, default=Start.SCRATCH, help="scratch (default) or trunk")
    parser.add_argument("--out", type=Path, default=Path("taskgraft-bench"), help="where studies are kept")
    parser.add_argument("--json", action="store_true", help="end with one line of JSON")
    options = parser.parse_args()
    out, found = options.out.absolute(), list[Delivered]()
    plain = load_study(options.study, out).to_plain()
    spec = StudySpec.parse({**plain, "training": {**plain["training"], "start": options.start}})
    print(f"| {' | '.join(_HEADS)} |\n{'| --- ' * len(_HEADS)}|")
    strategies = options.strategy or list(Strategy)
    for study in asked(spec, strategies, options.seeds):
        found.append(deliver(study, out / f"verdicts-{spec.name}-{options.start}"))
        print(f"| {' | '.join(found[-1].cells())} |", flush=True)
    print()
    for strategy in strategies:
        print(f"- {summary(strategy, [one for one in found if one.strategy is strategy])}")
    if options.json:
        rows = [{"strategy": one.strategy, "seed": one.seed, "verdict": one.outcome.verdict} for one in found]
        print(json.dumps(rows))


if __name__ == "__main__":
    main()
