"""System `tree`: the tree that the compared study delivers, trained with the seeds of the comparison."""

from collections.abc import Sequence

from taskgraft.search.comparison.protocol import Known, Model, Part, System
from taskgraft.search.comparison.refusals import too_few_tasks
from taskgraft.search.evidence.trees import components
from taskgraft.search.study.comparison import Comparison
from taskgraft.search.study.spec import StudySpec


class DeliveredTree(System):
    """The tree of the study; parts that share nothing are trained one by one, as the study does."""

    name = "tree"
    summary = "the tree that the study delivers; what it took includes the search for it"

    def refusal(self, spec: StudySpec, comparison: Comparison) -> str | None:
        """Refuse a single task."""
        return too_few_tasks(spec, 2)

    def models(self, known: Known) -> Sequence[Model]:
        """Return the tree; nothing before it is known."""
        tree = known.comparison.tree
        if tree is None:
            return ()
        note = "" if tree.is_shared else "the study found nothing to share"
        return (Model(self.name, tuple(map(Part.whole, components(tree))), note),)

    def rests_on_the_search(self) -> bool:
        """Return True: the tree was found by it."""
        return True
