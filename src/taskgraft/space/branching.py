"""Branchings: where the tasks of a tree part, and what forced it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Any


class Reason(StrEnum):
    """Why tasks do not share more, the most telling reason first."""

    BROKE = "broke"
    """Together they broke the threshold at the next depth."""
    UNDECIDED = "undecided"
    """Repeats left open whether they keep it there."""
    REPAIRED = "repaired"
    """A tree in which they shared more broke it when trained."""
    BUDGET = "budget"
    """The budget ended before a tree in which they share more was verified."""
    CHANCE = "chance"
    """A baseline is no better than chance, so that its AR is meaningless."""
    NOT_ASKED = "not_asked"
    """Nothing was trained that would tell."""
    DEEPEST = "deepest"
    """No greater depth was tried."""
    OTHERS = "others"
    """They might share more; they part so that each can share more with others."""


@dataclass(frozen=True, slots=True)
class Cause:
    """One reason to part: which tasks were trained together, how many blocks they shared, and the AR of that.

    ``ar`` is None if nothing was trained; ``at_most`` says that it is an upper bound. ``upper_end`` is that of its
    interval if that decides (`decision: confident`), else None.
    """

    reason: Reason
    tasks: tuple[str, ...]
    depth: int
    ar: float | None = None
    at_most: bool = False
    upper_end: float | None = None

    @property
    def rank(self) -> tuple[int, int, float]:
        """What causes are compared by: the most telling reason, the fewest tasks, the greatest AR come first."""
        return list(Reason).index(self.reason), len(self.tasks), -(self.ar or 0.0)


@dataclass(frozen=True, slots=True)
class Branching:
    """Tasks that share ``blocks`` blocks and then go on in ``parts``."""

    tasks: tuple[str, ...]
    blocks: int
    parts: tuple[tuple[str, ...], ...]
    because: tuple[Cause, ...]

    def to_json(self) -> dict[str, Any]:
        """Return plain data, as it stands in the tree form."""
        return {
            "tasks": list(self.tasks),
            "blocks": self.blocks,
            "parts": [list(part) for part in self.parts],
            "because": [{**asdict(cause), "tasks": list(cause.tasks)} for cause in self.because],
        }


def describe_branching(branching: Mapping[str, Any]) -> str:
    """Return a branching of the tree form in words.

    >>> cause = Cause(Reason.BROKE, ("a", "b"), 8, 0.031)
    >>> describe_branching(Branching(("a", "b", "c"), 7, (("a",), ("b", "c")), (cause,)).to_json())
    'a | b, c part after block 7: a + b at 8 blocks lose 3.10 %'
    >>> cause = Cause(Reason.BROKE, ("a", "b"), 8, 0.015, upper_end=0.024)
    >>> describe_branching(Branching(("a", "b"), 0, (("a",), ("b",)), (cause,)).to_json())
    'a | b part at once: a + b at 8 blocks lose 1.50 % (upper end 2.40 %)'
    """
    parts = " | ".join(", ".join(part) for part in branching["parts"])
    where = f"after block {branching['blocks']}" if branching["blocks"] else "at once"
    return f"{parts} part {where}: {describe_causes(branching)}"


def describe_causes(branching: Mapping[str, Any]) -> str:
    """Return in words why the tasks of a branching part.

    >>> describe_causes(Branching(("a", "b"), 7, (("a",), ("b",)), (Cause(Reason.DEEPEST, (), 7),)).to_json())
    'no depth above 7 was tried'
    """
    return "; ".join(map(_cause, branching["because"]))


def describe_unknown(unknown: Sequence[Mapping[str, Any]]) -> str:
    """Return the unknown cells of the tree form in words.

    >>> describe_unknown([{"task_a": "a", "task_b": "b", "depths": [4, 5]}])
    'a + b at 4, 5 blocks'
    """
    return "; ".join(
        f"{cell['task_a']} + {cell['task_b']} at {', '.join(map(str, cell['depths']))} blocks" for cell in unknown
    )


def describe_needed(needed: Mapping[str, int]) -> str:
    """Return in words how many trainings would answer what is unknown.

    >>> describe_needed({"at_least": 1, "at_most": 4, "to_verify": 1})
    '1 to 4 trainings would tell; more would verify the tree'
    """
    least, most = needed["at_least"], needed["at_most"]
    number = f"{least} to {most}" if most > least else str(least)
    return f"{number} training{'' if most == 1 else 's'} would tell; more would verify the tree"


def _cause(cause: Mapping[str, Any]) -> str:
    return _WORDS[Reason(cause["reason"])](cause)


def _blocks(count: int) -> str:
    return f"{count} block{'' if count == 1 else 's'}"


def _together(cause: Mapping[str, Any]) -> str:
    return f"{' + '.join(cause['tasks'])} at {_blocks(cause['depth'])}"


def _figure(cause: Mapping[str, Any]) -> str:
    figure = f"{'≤ ' if cause['at_most'] else ''}{100 * cause['ar']:.2f} %"
    upper_end = cause.get("upper_end")  # trees of older versions do not have it
    return figure if upper_end is None else f"{figure} (upper end {100 * upper_end:.2f} %)"


_WORDS: Mapping[Reason, Callable[[Mapping[str, Any]], str]] = MappingProxyType(
    {
        Reason.BROKE: lambda cause: f"{_together(cause)} lose {_figure(cause)}",
        Reason.UNDECIDED: lambda cause: f"{_together(cause)} lose {_figure(cause)}, which decides nothing",
        Reason.REPAIRED: lambda cause: (
            f"a tree in which {_together(cause).replace(' at ', ' shared ')} lost {_figure(cause)} when trained, "
            "and was repaired"
        ),
        Reason.BUDGET: lambda cause: f"the budget ended before {_together(cause)} was verified",
        Reason.CHANCE: lambda cause: f"the baseline of {', '.join(cause['tasks'])} is no better than chance",
        Reason.NOT_ASKED: lambda cause: f"{_together(cause)}: not asked",
        Reason.DEEPEST: lambda cause: f"no depth above {cause['depth']} was tried",
        Reason.OTHERS: lambda cause: "each part can share more by itself",
    }
)
