"""What commands print for people: matrices, trees, results, answers."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from rich.box import SIMPLE
from rich.markup import escape
from rich.table import Table
from rich.tree import Tree

from taskgraft.api.cli.comparison_text import show_comparison
from taskgraft.api.cli.output import console, count, errors, percent
from taskgraft.evaluators.kinds.registry import KINDS
from taskgraft.evaluators.kinds.task_labels import TaskLabels
from taskgraft.evaluators.metrics import METRICS
from taskgraft.search.evidence.verdict import percent_up
from taskgraft.search.study.result import FinalVerdict
from taskgraft.space.branching import describe_branching, describe_needed, describe_unknown

JSON = Mapping[str, Any]


def show_outcome(study: JSON, matrix: JSON, tree: JSON | None) -> None:
    """Print matrix, tree and result of a study; of a comparison, its table."""
    if study.get("comparison"):  # a service of an earlier version has none
        _show_comparison(study)
        return
    if matrix["cells"]:
        console.print(_matrix_table(matrix, study["spec"]))
        _show_legend(matrix)
    if tree:
        console.print(_tree_text(tree))
        _show_branchings(tree)
    if study.get("training_length"):  # a service of an earlier version has none
        console.print(_length_table(study["training_length"]))
    if study["result"]:
        if study["result"]["tasks"]:
            console.print(_task_table(study["result"]["tasks"]))
        console.print(_result_table(study))
    else:
        console.print(f"{study['state']}: {escape(study['reason'] or 'no result yet')}")
    if not (study["result"] and study["result"]["verified"]):
        _show_warnings(study["warnings"])


def _show_comparison(study: JSON) -> None:
    if table := study["comparison"]["table"]:
        show_comparison(table)
    else:
        console.print(f"{study['state']}: {escape(study['reason'] or 'no table yet')}")


def _show_warnings(warnings: Iterable[str]) -> None:
    for warning in warnings:
        errors.print(f"[yellow]warning:[/yellow] {escape(warning)}")


def show_matrix(matrix: JSON, spec: JSON) -> None:
    """Print the reduction matrix of a study."""
    if matrix["cells"]:
        console.print(_matrix_table(matrix, spec))
    else:
        console.print("no pair has been trained yet")


def _matrix_table(matrix: JSON, spec: JSON) -> Table:
    """Return the AR of every pair by depth, green if it keeps the threshold; a dot if that depth was not tried.

    With `decision: confident` the upper end of the interval stands beside it, since it decides.
    """
    cells = {(cell["task_a"], cell["task_b"], cell["depth"]): cell for cell in matrix["cells"]}
    depths = sorted({depth for _, _, depth in cells})
    place = {task: index for index, task in enumerate(matrix["tasks"])}
    shown = "validation, up to the interval's upper end" if _is_confident(spec) else "validation"
    table = Table(title=f"accuracy reduction by blocks shared ({shown}; green keeps {percent(spec['ar_threshold'])})")
    table.add_column("pair")
    for depth in depths:
        table.add_column(str(depth), justify="right")
    for first, second in sorted({(a, b) for a, b, _ in cells}, key=lambda pair: (place[pair[0]], place[pair[1]])):
        row = [cells.get((first, second, depth)) for depth in depths]
        table.add_row(f"{first} + {second}", *(_cell(cell, spec) for cell in row))
    return table


def _is_confident(spec: JSON) -> bool:
    return bool(spec.get("decision") == "confident")


def _cell(cell: JSON | None, spec: JSON) -> str:
    if cell is None:
        return "·"
    text = f"{'≤ ' if cell['at_most'] else ''}{percent(cell['ar'])}"
    deciding = cell["ar"]
    if _is_confident(spec) and cell["ar_interval"]:
        deciding = cell["ar_interval"][1]
        text += f" to {percent(deciding)}"
    colour = "green" if deciding <= spec["ar_threshold"] else "red"
    return f"[{colour}]{text}[/{colour}]"


def _show_legend(matrix: JSON) -> None:
    """Print what the marks in the matrix mean, if it has any."""
    pairs = {(cell["task_a"], cell["task_b"]) for cell in matrix["cells"]}
    depths = {cell["depth"] for cell in matrix["cells"]}
    if any(cell["at_most"] for cell in matrix["cells"]):
        console.print("≤  at most: the training ended early, or a group stands for the pair")
    if len(matrix["cells"]) < len(pairs) * len(depths):
        console.print("·  not asked at this depth")


def _show_branchings(tree: JSON) -> None:
    """Print what forced each branching, and which cells were not asked about."""
    for branching in tree.get("branchings", ()):
        console.print(escape(describe_branching(branching)))
    if unknown := tree.get("unknown"):
        console.print(f"not asked, and so not shared: {escape(describe_unknown(unknown))}")
        console.print(describe_needed(tree["trainings_needed"]))


def show_tree(document: JSON) -> None:
    """Print a tree, what it rests on, and its sizes, as far as they are known."""
    console.print(_tree_text(document))
    _show_branchings(document)
    console.print(f"encoder parameters: {count(document['encoder_parameters'])}")
    if document["parameters"] is not None:
        console.print(f"parameters: {count(document['parameters'])}")
        console.print(f"independent models: {count(document['independent_parameters'])}")


def _tree_text(document: JSON) -> Tree:
    """Return the tree with the blocks of every node."""
    root = Tree(_label(document["root"]))
    pending = [(root, document["root"])]
    while pending:
        branch, node = pending.pop()
        pending.extend((branch.add(_label(child)), child) for child in node["children"])
    return root


def _label(node: JSON) -> str:
    start, stop = node["blocks"]
    blocks = f"blocks {start + 1}-{stop}" if stop > start + 1 else f"block {stop}" if stop > start else "no block"
    names = ", ".join(node["tasks"])
    return f"[bold]{escape(names)}[/bold]  {blocks}" + ("" if node["children"] else " + head")


def _length_table(length: JSON) -> Table:
    """Return a table of the training lengths that were looked at, each with its worst tasks."""
    used = f"trained for {length['epochs']} epochs" if length["epochs"] else "training length"
    how = "" if length["chosen"] else " (not settled)"
    table = Table(title=f"{used}{how}; what each length showed", box=SIMPLE, padding=(0, 1, 0, 0))
    table.add_column("epochs", justify="right")
    for name in ("twice as long gains", "seeds add", "finding"):
        table.add_column(name)
    for look in length["looks"]:
        gain, excess = _worst(look["gains"], "share"), _worst(look["spreads"], "excess")
        table.add_row(str(look["epochs"]), gain, excess, look["finding"])
    return table


def _worst(tasks: Mapping[str, JSON], figure: str) -> str:
    """Return the task with the largest figure, and the figure."""
    task = max(tasks, key=lambda task: float(tasks[task][figure]), default=None)
    if task is None:
        return ""
    error = f" +- {_hundredths(tasks[task]['error'])}" if "error" in tasks[task] else ""
    return f"{percent(tasks[task][figure])}{error} ({escape(task)})"


def _task_table(tasks: Sequence[JSON]) -> Table:
    """Return a table of every task's metric alone and in the model, with bounds of the difference."""
    table = Table(
        title=f"every task on the test split, {_units(tasks)}; bounds are one-sided, 95 %",
        box=SIMPLE,
        padding=(0, 1, 0, 0),
    )
    has_groups = any(task["test_groups"] is not None for task in tasks)
    for name in ("task", "metric"):
        table.add_column(name)
    for name in ("alone", "here", "reduction", "bounds", "clips", *(["groups"] if has_groups else [])):
        table.add_column(name, justify="right", no_wrap=True)
    for task in tasks:
        groups = [str(task["test_groups"] or "")] if has_groups else []
        shown = METRICS[task["metric"]].shown
        values = (shown(task[side], 2).removesuffix(" %") for side in ("baseline", "final"))
        figures = (*values, *_reduction(task))
        table.add_row(escape(task["name"]), task["metric"], *figures, count(task["test_clips"]), *groups)
    return table


def _units(tasks: Sequence[JSON]) -> str:
    others = {task["metric"]: None for task in tasks if not METRICS[task["metric"]].is_share}
    return f"in per cent but for {' and '.join(others)}" if others else "in per cent"


def _reduction(task: JSON) -> tuple[str, str]:
    if task["at_chance"]:
        return "at chance", ""
    upper = percent_up(task["upper"]).removesuffix(" %")
    return _hundredths(task["reduction"]), f"{_hundredths(task['lower'])} to {upper}"


def _hundredths(fraction: float) -> str:
    return percent(fraction).removesuffix(" %")


def _verdict(result: JSON) -> str:
    words = FinalVerdict(result["verdict"]).words
    if result["verified"] or result["verified_for"] is None:
        return words
    return f"{words}; verified for Q >= {percent_up(result['verified_for'])}"


def _retrained(retrained: JSON) -> str:
    low, high = map(percent, retrained["ar_interval"])
    each = ", ".join(map(_hundredths, retrained["ars"]))
    return f"expected AR {percent(retrained['ar_mean'])}  (95 % interval {low} to {high}; each: {each})"


def _result_table(study: JSON) -> Table:
    """Return a table of what a finished study found."""
    result = study["result"]
    low, high = result["ar_interval"]
    saved = 1 - result["parameters"] / result["independent_parameters"]
    table = Table(show_header=False)
    table.add_row("verdict", _verdict(result))
    if at_chance := [escape(task["name"]) for task in result["tasks"] if task["at_chance"]]:
        table.add_row("at chance, not judged", ", ".join(at_chance))
    table.add_row("AR on test", f"{percent(result['ar'])}  (95 % interval {percent(low)} to {percent(high)})")
    table.add_row("threshold", percent(study["spec"]["ar_threshold"]))
    if result["scope"]:
        table.add_row("about", escape(result["scope"]))
    if result["retrained"]:
        table.add_row(f"trained again, {result['retrained']['seeds']} seeds", _retrained(result["retrained"]))
    table.add_row(
        "parameters",
        f"{count(result['parameters'])} (independent models: {count(result['independent_parameters'])}; "
        f"{percent(saved)} saved)",
    )
    table.add_row("MACs per second of audio", count(result["macs_per_second"]))
    for label, said in _compression(result["compression"]):
        table.add_row(label, said)
    table.add_row("trainings", _trainings(study["trainings"]))
    if study["reason"]:
        table.add_row("remark", escape(study["reason"]))
    return table


def _compression(found: JSON | None) -> Iterator[tuple[str, str]]:
    """Yield what was made of the tree that was found, line by line."""
    if found is None:
        return
    size = f"{count(found['stored_bytes'])} bytes"
    if found["packed_bytes"] != found["stored_bytes"]:
        size += f"; {count(found['packed_bytes'])} as values and bit masks"
    yield f"{', '.join(found['steps'])}", f"{'pruned' if found['is_pruned'] else 'not pruned'}; {size}"
    if bits := found["eight_bits"]:
        verdict = f"{FinalVerdict(bits['verdict']).words}, " if bits["verdict"] else ""
        yield (
            "of 8 bits",
            (
                f"{verdict}AR on test {percent(bits['ar'])}; weights take {count(bits['weight_bytes'])} bytes "
                f"(32 bits: {count(bits['float_weight_bytes'])})"
            ),
        )


def _trainings(counts: JSON) -> str:
    taken_over = counts["taken_over"]
    return f"{count(counts['trained'])}" + (f", and {count(taken_over)} taken over" if taken_over else "")


def show_studies(studies: Iterable[JSON]) -> None:
    """Print one line per study."""
    table = Table(box=SIMPLE, padding=(0, 1, 0, 0))
    for name in ("id", "name", "state", "stage", "done", "verdict", "AR"):
        table.add_column(name, no_wrap=name != "name")
    for study in studies:
        result = study["result"]
        verdict = FinalVerdict(result["verdict"]).words if result else ""
        ar = percent(result["ar"]) if result else ""
        done = f"{100 * study['progress']['fraction']:.0f} %"
        table.add_row(study["id"], escape(study["name"]), study["state"], study["stage"] or "", done, verdict, ar)
    console.print(table)


def show_plan(name: str, plan: JSON) -> None:
    """Print what a study would cost."""
    table = Table("", "at least", "at most", title=f"plan of {name}")
    table.add_row("trainings", count(plan["trials_at_least"]), count(plan["trials_at_most"]))
    if epochs := plan.get("epochs"):  # a service of an earlier version has none
        table.add_row("epochs", count(epochs[0]), count(epochs[-1]))
    hours = (f"{plan[key] / 3600:.2f}" for key in ("seconds_at_least", "seconds_at_most"))
    table.add_row(f"hours, estimated for {plan['workers']} cores", *hours)
    table.add_row("parameters", count(plan["fully_shared_parameters"]), count(plan["independent_parameters"]))
    console.print(table)
    for task, clips in plan["clips"].items():
        console.print(f"{escape(task)}: " + ", ".join(f"{number:,} {split}" for split, number in clips.items()))
    console.print(_resolution_table(plan["resolution"]))
    if strategies := plan.get("strategies"):  # a service of an earlier version has none
        console.print(_strategy_table(strategies))
        console.print(f"recommended: strategy {plan['recommended']} ({plan['because']})")
    _show_warnings(plan["warnings"])


def _strategy_table(strategies: Iterable[JSON]) -> Table:
    """Return a table of what the study would take with each strategy."""
    table = Table(title="the same study by strategy", box=SIMPLE, padding=(0, 1, 0, 0))
    table.add_column("strategy")
    for name in ("trainings", "likely", "seconds", "likely"):
        table.add_column(name, justify="right", no_wrap=True)
    for cost in strategies:
        trials = f"{count(cost['trials_at_least'])} to {count(cost['trials_at_most'])}"
        seconds = f"{cost['seconds_at_least']:,.0f} to {cost['seconds_at_most']:,.0f}"
        table.add_row(cost["strategy"], trials, count(cost["trials_likely"]), seconds, f"{cost['seconds_likely']:,.0f}")
    return table


def _resolution_table(tasks: Iterable[JSON]) -> Table:
    """Return a table of what test clips can decide, task by task."""
    table = Table(title="the smallest threshold Q that test can verify, by a guess", box=SIMPLE, padding=(0, 1, 0, 0))
    table.add_column("task")
    for name in ("test clips", "smallest Q", "clips for this Q"):
        table.add_column(name, justify="right", no_wrap=True)
    for task in tasks:
        needed = "no number" if task["clips_needed"] is None else count(task["clips_needed"])
        table.add_row(escape(task["task"]), count(task["test_clips"]), percent_up(task["q_min"]), needed)
    return table


def show_answer(clip: str, answer: JSON, tasks: Mapping[str, TaskLabels]) -> None:
    """Print what a model of these tasks says about one recording."""
    console.print(f"[bold]{escape(clip)}[/bold]")
    for task, said in answer.items():
        console.print(f"  {escape(task)}: {escape(KINDS[tasks[task].kind].summary(said))}")
