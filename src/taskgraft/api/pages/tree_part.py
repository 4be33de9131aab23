"""A tree on a page: its pictures, and why tasks part, in words."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from taskgraft.api.pages.pictured import BothForms, picture
from taskgraft.api.pages.words import count
from taskgraft.api.pictures import costs_of_form, draw_tree
from taskgraft.space.branching import describe_needed, describe_unknown


@dataclass(frozen=True, slots=True)
class TreePart:
    """What a page shows of a tree; ``is_explained`` is false if nothing says why its tasks part."""

    pictures: BothForms
    is_explained: bool
    unknown: str
    needed: str
    cost: str
    """How many trainings it takes to train and verify the tree; empty if nothing says so."""

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> Self:
        """Return what a page shows of a tree form."""
        costs = costs_of_form(document)
        unknown, needed = document.get("unknown"), document.get("trainings_needed")
        return cls(
            pictures=BothForms(
                picture(draw_tree(document, costs=costs)), picture(draw_tree(document, costs=costs, vertical=True))
            ),
            is_explained="branchings" in document,
            unknown=describe_unknown(unknown) if unknown else "",
            needed=describe_needed(needed) if unknown and needed else "",
            cost=_cost(needed) if needed else "",
        )


def _cost(needed: Mapping[str, int]) -> str:
    """Return how many trainings are still to be made.

    >>> _cost({"at_least": 1, "at_most": 4, "to_verify": 1})
    '2 to 5 trainings, and more if it has to be repaired'
    >>> _cost({"at_least": 0, "at_most": 0, "to_verify": 0})
    'no training: all of it is known'
    """
    least, most = needed["at_least"] + needed["to_verify"], needed["at_most"] + needed["to_verify"]
    if not most:
        return "no training: all of it is known"
    number = count(most, "training") if least == most else f"{least} to {count(most, 'training')}"
    return f"{number}, and more if it has to be repaired"
