"""Trees of any shape, for tests of what is done with trees."""

from hypothesis import strategies as st

from taskgraft.space.tree import BranchTree, Node

DEPTH = 8


@st.composite
def branch_trees(draw: st.DrawFn, largest: int = 7) -> BranchTree:
    """One to ``largest`` tasks, children in task order; the root may share nothing."""
    names = tuple("abcdefg"[: draw(st.integers(1, largest))])

    def grow(tasks: tuple[str, ...], start: int, is_root: bool) -> Node:
        if len(tasks) == 1:
            return Node(tasks, (start, DEPTH))
        stop = draw(st.integers(start if is_root else start + 1, DEPTH))
        if stop == DEPTH:
            parts: list[tuple[str, ...]] = [(task,) for task in tasks]
        else:
            sides = draw(st.lists(st.integers(0, 2), min_size=len(tasks), max_size=len(tasks)))
            sides[-1] = next(side for side in range(3) if side != sides[0])
            parts = [tuple(t for t, s in zip(tasks, sides, strict=True) if s == side) for side in range(3)]
            parts = sorted((part for part in parts if part), key=lambda part: tasks.index(part[0]))
        return Node(tasks, (start, stop), tuple(grow(part, stop, False) for part in parts))

    return BranchTree(grow(names, 0, True), DEPTH)
