"""System `flat`: all tasks share the first d blocks and nothing more, for each depth d of the study."""

from collections.abc import Sequence
from dataclasses import dataclass

from taskgraft.search.comparison.protocol import Known, Model, Part, System
from taskgraft.search.comparison.refusals import too_few_tasks
from taskgraft.search.study.comparison import Comparison
from taskgraft.search.study.spec import StudySpec


@dataclass(frozen=True)
class Flat(System):
    """Flat sharing at the depths of the study; ``only`` one of them if it is not None."""

    only: int | None = None

    name = "flat"
    summary = "all tasks share d blocks, for each depth d of the study; flat-D for one of them"

    def words(self, spec: StudySpec) -> tuple[str, ...]:
        """Return ``flat`` for all depths, and ``flat-D`` for each depth D of the study."""
        return (self.name, *(f"{self.name}-{depth}" for depth in sorted(spec.depths)))

    def named(self, word: str, spec: StudySpec) -> Sequence[System]:
        """Return flat sharing at all depths, or at the one that the word ends with."""
        depth = word.removeprefix(self.name).removeprefix("-")
        return (Flat(int(depth) if depth else None),)

    def refusal(self, spec: StudySpec, comparison: Comparison) -> str | None:
        """Refuse a single task."""
        return too_few_tasks(spec, 2)

    def models(self, known: Known) -> Sequence[Model]:
        """Return one model for each depth."""
        depths = sorted(known.spec.depths) if self.only is None else [self.only]
        return [
            Model(
                f"{self.name}-{depth}", (Part.whole(known.flat(known.tasks, depth)),), f"{depth} blocks shared by all"
            )
            for depth in depths
        ]
