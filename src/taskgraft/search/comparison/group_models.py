"""Models that are sets of groups: every group is a network of its own that shares all blocks."""

from collections.abc import Iterable

from taskgraft.search.comparison.grouping import Group
from taskgraft.search.comparison.protocol import Known, Model, Part
from taskgraft.search.study.trial import Training


def group_model(name: str, groups: Iterable[Group], known: Known) -> Model:
    """Return the model of groups; a group of one task is its baseline."""
    chosen = tuple(groups)
    parts = tuple(Part(Training(known.flat(group.trained)), group.answers) for group in chosen)
    words, most = " ".join(_words(group) for group in chosen), known.comparison.groups
    return Model(name, parts, f"{words}; at most {most} network{'s' * (most != 1)}")


def _words(group: Group) -> str:
    helpers = [task for task in group.trained if task not in group.answers]
    return "{" + ",".join(group.answers) + "}" + (f" (with {','.join(helpers)})" if helpers else "")
