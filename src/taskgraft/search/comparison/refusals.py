"""Why a system may have no row: rules that several of them have in common."""

from taskgraft.search.comparison.grouping import MAX_GROUPED_TASKS
from taskgraft.search.study.comparison import Comparison
from taskgraft.search.study.spec import StudySpec


def too_few_tasks(spec: StudySpec, fewest: int) -> str | None:
    """Return what to say of a study with fewer than so many tasks; None if it has enough."""
    given = len(spec.tasks)
    return f"takes {fewest} tasks or more, and the study has {given}" if given < fewest else None


def no_groups(spec: StudySpec, comparison: Comparison) -> str | None:
    """Return why tasks can't be grouped: too few, too many, or a budget below the smallest network of all."""
    if few := too_few_tasks(spec, 2):
        return few
    if len(spec.tasks) > MAX_GROUPED_TASKS:
        given = len(spec.tasks)
        return f"the best groups are looked for among {MAX_GROUPED_TASKS} tasks at most, and the study has {given}"
    if comparison.groups == 0:
        return "one network that shares all blocks is larger than the size budget of groups"
    return None
