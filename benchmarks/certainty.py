"""The tables of docs/statistics.md: `python -m benchmarks.certainty` (`--studies` for the size of each simulation).

`--table verdicts --table power` makes only these.
"""

import argparse
import inspect
import math
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import product

import numpy as np

from benchmarks.simulated_study import Regime, Study
from benchmarks.simulated_verdicts import Delivered, verdicts
from taskgraft.search.evidence.resolution import smallest_threshold
from taskgraft.search.statistics.certainty import Verdict, interval, may_settle, verdict
from taskgraft.search.study.result import FinalVerdict
from taskgraft.search.study.spec import BASELINE_REPEATS, MAX_REPEATS

THRESHOLD = 0.02
LOOKS = MAX_REPEATS


@dataclass(frozen=True, slots=True)
class Coverage:
    """Shares of intervals that lie below the true AR, and above it."""

    below: float
    above: float

    @property
    def held(self) -> float:
        """Share of the intervals that hold the true AR."""
        return 1 - self.below - self.above


def coverage(regime: Regime, repeats: int, studies: int, seed: int = 0) -> Coverage:
    """Return how often intervals miss the true AR in simulated cells trained so often (baselines twice at least)."""
    random = np.random.default_rng(seed)
    ends = np.array(
        [interval(cell) for _ in range(studies) for cell in _trained(regime, repeats, random).cells().values()]
    )
    return Coverage(float((ends[:, 1] < regime.ar).mean()), float((ends[:, 0] > regime.ar).mean()))


def _trained(regime: Regime, repeats: int, random: np.random.Generator) -> Study:
    study = Study(regime, random)
    for pair in study.pairs:
        study.train(pair, repeats)
    return study


@dataclass(frozen=True, slots=True)
class Decisions:
    """What became of the cells of simulated studies."""

    told: Counter[Verdict]
    repeats: float
    """Trainings of a pair, mean over cells."""

    def share(self, verdict: Verdict) -> float:
        """Share of the cells that were told so."""
        return self.told[verdict] / self.told.total()


def decisions(regime: Regime, studies: int, seed: int = 0, pilots: int = 0) -> Decisions:
    """Decide all cells of simulated studies, repeating those that are open while that may settle them.

    ``pilots`` pairs are trained twice before anything is decided.
    """
    random = np.random.default_rng(seed)
    found: Counter[Verdict] = Counter()
    spent = 0
    for _ in range(studies):
        study = Study(regime, random)
        told = _decide(study, pilots)
        found.update(told)
        spent += sum(study.repeats(pair) for pair in study.pairs)
    return Decisions(found, spent / found.total())


def _decide(study: Study, pilots: int) -> list[Verdict]:
    for number, pair in enumerate(study.pairs):
        study.train(pair, 2 if number < pilots else 1, BASELINE_REPEATS)
    while True:
        cells = study.cells()
        told = {pair: verdict(cell, THRESHOLD, LOOKS) for pair, cell in cells.items()}
        asked = [
            pair
            for pair, so_far in told.items()
            if so_far is Verdict.OPEN and may_settle(cells[pair], THRESHOLD, LOOKS)
        ]
        if not asked:
            return list(told.values())
        for pair in asked:
            study.train(pair, study.repeats(pair) + 1, BASELINE_REPEATS)


def coverage_rows(studies: int) -> Iterator[str]:
    """Yield the coverage at 95 %, in per cent (below / above: the interval lies below / above the true AR)."""
    counts = (1, 2, 6)
    yield "| steps a clip | accuracy | clips | seed sd | " + " | ".join(f"{n} repeats" for n in counts) + " |"
    yield "| --- " * (4 + len(counts)) + "|"
    for steps, accuracy, clips, sd in product((1, 50), (0.6, 0.9, 0.99), (100, 500, 2000), (0.0, 0.01, 0.04)):
        regime = Regime(accuracy, clips, sd, steps)
        found = [coverage(regime, repeats, studies) for repeats in counts]
        shown = " | ".join(f"{100 * one.held:.1f} ({100 * one.below:.1f} / {100 * one.above:.1f})" for one in found)
        yield f"| {steps} | {accuracy} | {clips} | {sd} | {shown} |"


REGIMES = {
    "1,000 clips, accuracy 0.9, seed sd 1 %": Regime(0.9, 1000, 0.01),
    "300 clips, accuracy 0.8, seed sd 2 %": Regime(0.8, 300, 0.02),
    "2,000 clips, accuracy 0.98, seed sd 0.5 %": Regime(0.98, 2000, 0.005),
    "1,000 clips of 50 steps, accuracy 0.97, seed sd 1 %": Regime(0.97, 1000, 0.01, 50),
}
BESIDE = ((0.0, 0.0), (0.01, None), (0.018, None), (0.02, -0.02), (0.02, 0.02), (0.022, None))
BEYOND = ((0.03, None), (0.04, None), (0.08, None), (0.2, None))
"""True AR of every cell, and the reduction of its better task (any where None)."""


def decision_rows(studies: int) -> Iterator[str]:
    """Yield verdicts at Q = 2 %, six repeats at most, by true AR; the better task's reduction in brackets."""
    yield "| regime | AR (other task) | keeps | breaks | open | repeats |"
    yield "| --- " * 6 + "|"
    for name, regime in REGIMES.items():
        for ar, other in BESIDE + BEYOND:
            found = decisions(replace(regime, ar=ar, other=other), studies)
            yield _decision_row(
                f"{name} | {100 * ar:.3g} % ({'any' if other is None else f'{100 * other:.3g} %'})", found
            )


def noisier_rows(studies: int) -> Iterator[str]:
    """Yield verdicts at AR = Q if seeds move pairs more than baselines, by pairs that are trained twice at first.

    2,000 clips, accuracy 0.9, seed sd 2 %; the better task gains 2 %.
    """
    yield "| pairs noisier | pilots | keeps | breaks | open | repeats |"
    yield "| --- " * 6 + "|"
    for noisier, pilots in product((1.0, 2.0, 3.0), (0, 1, 2, 3)):
        regime = Regime(0.9, 2000, 0.02, ar=THRESHOLD, other=-THRESHOLD, pairs_noisier=noisier)
        yield _decision_row(f"{noisier:.0f} x | {pilots}", decisions(regime, studies, pilots=pilots))


def _decision_row(name: str, found: Decisions) -> str:
    shares = " | ".join(f"{100 * found.share(told):.1f}" for told in Verdict)
    return f"| {name} | {shares} | {found.repeats:.2f} |"


LEARNT = ((0.98, 0.022), (0.90, 0.087))
"""Accuracy of baselines, and the share of clips on which two trainings differ."""


def verdict_rows(studies: int) -> Iterator[str]:
    """Yield verdicts on delivered models of four tasks at Q = 2 %, in per cent, by the true AR of the worst task.

    The other tasks gain as much. Groups are of ten clips with a correlation of 0.05. At AR = Q there are six times as
    many splits: the share of verified models there is what the method promises to keep at 5 % or less.
    """
    truths = (0.0, THRESHOLD / 2, THRESHOLD, 1.5 * THRESHOLD)
    yield "| accuracy | test clips | groups | " + " | ".join(f"AR {100 * ar:g} %" for ar in truths) + " |"
    yield "| --- " * (3 + len(truths)) + "|"
    for (accuracy, apart), clips, size in product(LEARNT, (150, 750, 2500), (1, 10)):
        cells = [
            verdicts(Delivered(clips, accuracy, apart, ar, group_size=size), THRESHOLD, _splits(ar, studies))
            for ar in truths
        ]
        groups = "-" if size == 1 else clips // size
        yield f"| {accuracy} | {clips:,} | {groups} | {' | '.join(map(_shares, cells))} |"


VERDICTS = 10
"""Simulated splits in each cell of the table of verdicts, for one study of the other tables: they are much quicker."""


def _splits(ar: float, studies: int) -> int:
    return VERDICTS * studies * (6 if ar == THRESHOLD else 1)


def _shares(found: Counter[FinalVerdict]) -> str:
    return " / ".join(f"{100 * found[verdict] / found.total():.1f}" for verdict in FinalVerdict)


def power_rows(studies: int) -> Iterator[str]:
    """Yield how often a model of five tasks that loses nothing is verified at the smallest threshold of eq. 21."""
    yield "| accuracy | test clips | Q_min | without the unseen clips | verified at Q_min |"
    yield "| --- " * 5 + "|"
    for (accuracy, apart), clips in product(LEARNT, (150, 750, 2000)):
        smallest = smallest_threshold(clips, accuracy, apart, 5)
        bare = smallest * math.sqrt(apart / clips / (apart / clips + 2 / (clips + 2) ** 2))
        truth = Delivered(clips, accuracy, apart, tasks=5)
        found = verdicts(truth, smallest, VERDICTS * studies)
        share = 100 * found[FinalVerdict.VERIFIED] / found.total()
        yield f"| {accuracy} | {clips:,} | {100 * smallest:.2f} % | {100 * bare:.2f} % | {share:.1f} % |"


TABLES = {
    "coverage": coverage_rows,
    "decisions": decision_rows,
    "noisier": noisier_rows,
    "verdicts": verdict_rows,
    "power": power_rows,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--studies", type=int, default=100, help="simulated studies of six cells in each row")
    parser.add_argument("--table", action="append", choices=TABLES, help="only this table; may be repeated")
    options = parser.parse_args()
    for name in options.table or TABLES:
        print(f"\n{inspect.getdoc(TABLES[name])}\n")
        for row in TABLES[name](options.studies):
            print(row, flush=True)


if __name__ == "__main__":
    main()
