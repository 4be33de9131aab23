"""The pictures of a report, by the names of their files."""

from collections.abc import Iterator
from dataclasses import dataclass

from taskgraft.api.pictures import (
    costs_of_form,
    draw_confusion,
    draw_curves,
    draw_matrix,
    draw_tradeoff,
    draw_tree,
    is_baseline_of,
)
from taskgraft.api.reports.contents import Contents
from taskgraft.api.trial_schemas import TrialDetail
from taskgraft.search.comparison.picture import draw_comparison
from taskgraft.search.evidence.verdict import summarize
from taskgraft.search.study.result import FinalVerdict


@dataclass(frozen=True, slots=True)
class Drawn:
    """A picture: the name of its file without an ending, the section of the page that it stands in, and its SVG."""

    name: str
    section: str
    svg: str


def draw_all(contents: Contents) -> Iterator[Drawn]:
    """Yield every picture that the study has figures for."""
    if contents.matrix and len(contents.matrix.tasks) > 1:
        yield Drawn("matrix", "matrix", draw_matrix(contents.matrix, ar_threshold=contents.threshold))
    yield from _trees(contents)
    if contents.tradeoff:
        svg = draw_tradeoff(contents.tradeoff, mark=contents.threshold, verified=contents.trained)
        yield Drawn("tradeoff", "tradeoff", svg)
    if contents.comparison:
        yield Drawn("comparison", "comparison", draw_comparison(contents.comparison))
    for detail in (*contents.details, *contents.baselines):
        judged_by = [one for one in contents.references if is_baseline_of(one, detail)]
        yield Drawn(f"curves-{detail.number}", "curves", draw_curves(detail, judged_by))
    for number, (task, trial) in enumerate(_answered(contents).items()):
        svg = draw_confusion(task, trial.confusion[task], contents.labels.get(task))
        yield Drawn(f"confusion-{number}-{task}", "confusion", svg)


def _trees(contents: Contents) -> Iterator[Drawn]:
    if contents.tree:
        result, costs = contents.study["result"], costs_of_form(contents.tree)
        caption = result and summarize(FinalVerdict(result["verdict"]), result["ar"], result["verified_for"])
        yield Drawn("tree", "tree", draw_tree(contents.tree, caption, costs=costs))
        yield Drawn("tree-narrow", "tree", draw_tree(contents.tree, caption, costs=costs, vertical=True))


def _answered(contents: Contents) -> dict[str, TrialDetail]:
    """Return, for each task, the training whose answers are counted: the tree of all tasks, else its baseline."""
    tasks = [task["name"] for task in contents.study["spec"]["tasks"]]
    whole = [detail for detail in contents.details if len(detail.tasks) == len(tasks)]
    found = {}
    for task in tasks:
        trials = [trial for trial in (*whole, *contents.baselines) if trial.confusion.get(task)]
        if trials:
            found[task] = trials[0]
    return found
