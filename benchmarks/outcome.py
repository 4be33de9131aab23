"""What a program found out, in a form that both programs write and the comparison reads."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Self

from taskgraft.search.study.result import FinalVerdict
from taskgraft.space.matrix import Pair


@dataclass(frozen=True, slots=True)
class Outcome:
    """The end of one study, run by one program."""

    trials: int
    """Trainings that ended."""
    steps: int
    """Optimiser steps of all trainings."""
    depths: Mapping[Pair, int]
    """Compatibility of every pair, as the program sees it."""
    tree: Mapping[str, Any]
    """The root of the final tree, as plain data."""
    parameters: int
    ar: float
    """AR of the final model on the test split."""
    verdict: str | None
    """What the test split says about the final model and the threshold; None where nobody looked."""
    stages: tuple[tuple[float, str], ...] = ()
    """When each stage was first seen (seconds since the epoch, two seconds late at most), and the end."""

    @property
    def verified(self) -> bool | None:
        """Whether the final model was shown to keep the threshold; None where nobody looked."""
        return None if self.verdict is None else self.verdict == FinalVerdict.VERIFIED

    def write(self, path: Path) -> None:
        """Write it as JSON."""
        plain = asdict(self) | {"depths": [[*pair, depth] for pair, depth in self.depths.items()]}
        path.write_text(json.dumps(plain, indent=1) + "\n")

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read what `write` wrote."""
        outcome = cls(**json.loads(path.read_text()))
        return replace(
            outcome,
            depths={(first, second): depth for first, second, depth in outcome.depths},  # type: ignore[misc]
            stages=tuple((at, stage) for at, stage in outcome.stages),
        )


@dataclass(frozen=True, slots=True)
class PlainSample:
    """A random sample of the plain program's trainings."""

    strata: Mapping[str, tuple[Sequence[float], int]]
    """Baselines, pairs within a dataset and across: CPU seconds of each sampled training, and how many there are."""

    @property
    def cpu_seconds(self) -> float:
        """Return the CPU seconds of the trainings that were sampled."""
        return sum(sum(costs) for costs, _ in self.strata.values())

    @property
    def sampled(self) -> int:
        """Return how many trainings were sampled."""
        return sum(len(costs) for costs, _ in self.strata.values())

    @property
    def trials(self) -> int:
        """Return how many trainings the sweep has."""
        return sum(count for _, count in self.strata.values())

    def write(self, path: Path) -> None:
        """Write it as JSON."""
        path.write_text(json.dumps(asdict(self), indent=1) + "\n")

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read what `write` wrote."""
        strata = json.loads(path.read_text())["strata"]
        return cls({name: (tuple(costs), count) for name, (costs, count) in strata.items()})
