"""Group testing: which tasks fit together at which depth, found by training whole groups.

A group that meets the threshold answers for all of its pairs at once. So all tasks are tried together first, at the
deepest depth, then at others by bisection, until the deepest is found at which they fit. At the next depth they are
divided: halves are tried, and halves of what breaks the threshold; groups that were found in one half are tried with
those of the other. Tasks that pulled shared blocks the same way in the first training go into the same half. Each group
is then treated as the whole was. It is the idea of Dorfman, The Detection of Defective Members of Large Populations,
Annals of Mathematical Statistics 14(4), 1943.

Three rules spare questions: tasks that break the threshold break it with further tasks beside them; they break it where
they share more; and a group that was found stays together, whoever might fit with a part of it. So a pair that breaks
it is asked about once, not at every depth. The first two are assumptions, and all three may cost sharing; accuracy is
safe, since the tree that follows is trained and verified as a whole.
"""

from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress

from taskgraft.search.strategies.bisection import deepest
from taskgraft.space.tree import BranchTree, Node

MeetsThreshold = Callable[[BranchTree], bool | None]
"""Returns whether a tree meets the threshold; None if that has to be asked."""

_Tasks = tuple[str, ...]


class _Open(Exception):
    """Raised when what comes next depends on an answer that is not there yet."""


class Grouping:
    """What follows from the answers so far: a tree, or the questions that are open. A pure function of its arguments.

    Args:
        tasks: the tasks that may share, in the order of the study.
        depths: depths at which groups are tried.
        blocks: the template's number of blocks.
        meets_threshold: the answers, for trees whose tasks all share the same blocks.
        order: the same tasks, those that are likely to fit next to each other: in this order they are halved.
    """

    def __init__(
        self,
        tasks: Sequence[str],
        depths: Iterable[int],
        blocks: int,
        meets_threshold: MeetsThreshold,
        order: Sequence[str] | None = None,
    ) -> None:
        self._rank = {task: rank for rank, task in enumerate(order or tasks)}
        self._place = {task: place for place, task in enumerate(tasks)}
        self._depths = sorted(depths)
        self._blocks = blocks
        self._meets_threshold = meets_threshold
        self._broken: list[tuple[int, frozenset[str]]] = []
        self.questions: list[BranchTree] = []
        """Trees to be tried next, the most urgent first."""
        self.tree = BranchTree.flat(tuple(tasks), 0, blocks)
        """The tree that follows; it shares nothing while questions are open."""
        with suppress(_Open):
            self.tree = BranchTree(self._subtree(tuple(tasks), 0, 0), blocks)

    def _subtree(self, tasks: _Tasks, start: int, fits: int) -> Node:
        """Return the node of tasks that go on together from ``start``, and are known to fit at depth ``fits``."""
        if len(tasks) == 1:
            return Node(tasks, (start, self._blocks))
        untried = [depth for depth in self._depths if depth > fits]
        found = deepest(untried, lambda depth: self._answer(tasks, depth)) or fits
        deeper = next((depth for depth in self._depths if depth > found), None)
        if deeper is None:
            return Node(tasks, (start, found), tuple(Node((task,), (found, self._blocks)) for task in tasks))
        children: list[Node] = []
        for part in self._divided(tasks, deeper):
            try:
                children.append(self._subtree(part, found, deeper))
            except _Open:
                continue  # other parts have questions of their own, which may be answered at the same time
        if sum(len(child.tasks) for child in children) < len(tasks):
            raise _Open
        return Node(tasks, (start, found), tuple(children))

    def _divided(self, tasks: _Tasks, depth: int) -> list[_Tasks]:
        """Return groups that fit at ``depth``, of tasks that do not fit there all together; in the study's order."""
        parts = self._halved(tasks, depth)
        if parts is None:
            raise _Open
        return sorted(parts, key=lambda part: self._place[part[0]])

    def _halved(self, tasks: _Tasks, depth: int) -> list[_Tasks] | None:
        """Return groups that fit; None if a question is open."""
        if len(tasks) == 1:
            return [tasks]
        if (answer := self._ask(tasks, depth)) is not False:
            return [self._sorted(tasks)] if answer else None
        ranked, middle = tuple(sorted(tasks, key=self._rank.__getitem__)), len(tasks) // 2
        first, second = self._halved(ranked[:middle], depth), self._halved(ranked[middle:], depth)
        if first is None or second is None:
            return None
        return self._across(first, second, depth) if len(tasks) > 2 else [*first, *second]

    def _across(self, first: Sequence[_Tasks], second: Sequence[_Tasks], depth: int) -> list[_Tasks] | None:
        """Merge two lists of groups pair by pair; no group fits with another one of its own list.

        Questions about different pairs of groups are open at the same time.
        """
        free, found, is_open = list(second), [], False
        for group in first:
            partner = next((other for other in free if self._known((*group, *other), depth) is not False), None)
            if partner is None:
                found.append(group)
                continue
            free.remove(partner)
            is_open |= self._ask((*group, *partner), depth) is None
            found.append(self._sorted((*group, *partner)))
        return None if is_open else [*found, *free]

    def _answer(self, tasks: _Tasks, depth: int) -> bool:
        answer = self._ask(tasks, depth)
        if answer is None:
            raise _Open
        return answer

    def _ask(self, tasks: _Tasks, depth: int) -> bool | None:
        answer = self._known(tasks, depth)
        if answer is None:
            self.questions.append(self._flat(tasks, depth))
        return answer

    def _known(self, tasks: _Tasks, depth: int) -> bool | None:
        held = frozenset(tasks)
        if any(shared <= depth and broken <= held for shared, broken in self._broken):
            return False
        answer = self._meets_threshold(self._flat(tasks, depth))
        if answer is False:
            self._broken.append((depth, held))
        return answer

    def _flat(self, tasks: _Tasks, depth: int) -> BranchTree:
        return BranchTree.flat(self._sorted(tasks), depth, self._blocks)

    def _sorted(self, tasks: _Tasks) -> _Tasks:
        return tuple(sorted(tasks, key=self._place.__getitem__))
