"""System `distil`: the tree that the compared study delivers, which the baselines of its tasks have taught."""

from collections.abc import Sequence
from dataclasses import replace

from taskgraft.search.comparison.protocol import Known, Model, Part, System
from taskgraft.search.comparison.refusals import too_few_tasks
from taskgraft.search.evidence.trees import components
from taskgraft.search.study.comparison import Comparison
from taskgraft.search.study.spec import StudySpec
from taskgraft.search.study.training_spec import TAUGHT


class TaughtTree(System):
    """The tree of the study by another algorithm; parts of a single task are baselines, which nothing teaches."""

    name = "distil"
    summary = "the tree that the study delivers, taught by the baselines (Hinton 2015)"

    def refusal(self, spec: StudySpec, comparison: Comparison) -> str | None:
        """Refuse a single task, a study whose baselines teach already, and a tree that shares nothing."""
        if spec.training.algorithm.name == TAUGHT:
            return "the baselines teach all models of this study (training.algorithm): its tree is the row tree"
        if comparison.tree is not None and not comparison.tree.is_shared:
            return "the study found nothing to share, and baselines teach models of several tasks"
        return too_few_tasks(spec, 2)

    def models(self, known: Known) -> Sequence[Model]:
        """Return the tree; nothing before it is known."""
        tree = known.comparison.tree
        if tree is None:
            return ()
        wholes = map(Part.whole, components(tree))
        parts = (
            replace(part, training=replace(part.training, recipe=TAUGHT)) if len(part.answers) > 1 else part
            for part in wholes
        )
        return (Model(self.name, tuple(parts), "the delivered tree, taught by the baselines"),)

    def most_to_come(self, spec: StudySpec, comparison: Comparison) -> int:
        """Return how many parts of several tasks the tree can have."""
        return len(spec.tasks) // 2

    def rests_on_the_search(self) -> bool:
        """Return True: the tree was found by it."""
        return True
