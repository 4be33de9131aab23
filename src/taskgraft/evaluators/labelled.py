"""A task together with the labels that answer it."""

from dataclasses import dataclass

from taskgraft.evaluators.kinds.protocol import Targets
from taskgraft.space.tasks import Task


@dataclass(frozen=True, slots=True, eq=False)
class LabelledTask:
    """A task, the corpus that its labels come from, and the metric that its worth is measured by."""

    task: Task
    corpus: str
    metric: str
    targets: Targets
