"""What commands print of comparisons for people."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rich.box import SIMPLE
from rich.markup import escape
from rich.table import Table

from taskgraft.api.cli.output import console, count, percent
from taskgraft.evaluators.metrics import METRICS

JSON = Mapping[str, Any]


def show_comparison(table: JSON) -> None:
    """Print the rows of a comparison, the systems without one, and remarks."""
    if table["rows"]:
        console.print(_metrics(table["rows"], table["ar_threshold"]))
        console.print(_costs(table["rows"]))
    for note, names in _notes(table["rows"]).items():
        console.print(f"{escape(', '.join(names))}: {escape(note)}")
    for refusal in table["refusals"]:
        console.print(f"{escape(refusal['system'])} has no row: {escape(refusal['reason'])}")
    for remark in table["remarks"]:
        console.print(escape(remark))


def _notes(rows: Sequence[JSON]) -> dict[str, list[str]]:
    """Return the notes, each with the rows that it is about."""
    found: dict[str, list[str]] = {}
    for row in rows:
        if row["note"]:
            found.setdefault(row["note"], []).append(row["name"])
    return found


def _metrics(rows: Sequence[JSON], threshold: float) -> Table:
    """Return the metric of every task and the AR, each above its interval."""
    title = f"on the test split, in per cent; green keeps {percent(threshold)}"
    table = Table(title=title, box=SIMPLE, padding=(0, 1, 0, 0))
    table.add_column("model", overflow="fold")
    for name in (*(task["name"] for task in rows[0]["tasks"]), "AR"):
        table.add_column(escape(name), justify="right")
    for row in rows:
        figures = [_task_figures(task) for task in row["tasks"]]
        colour = "green" if row["ar"] <= threshold else "red"
        ar = f"[{colour}]{_hundredths(row['ar'])}[/{colour}]\n{_ends(row['ar_interval'])}"
        table.add_row(escape(row["name"]), *figures, ar)
    return table


def _costs(rows: Sequence[JSON]) -> Table:
    """Return what every row weighs and took; if a model was pruned, also what is left of each."""
    is_pruned = any(row["packed_bytes"] != row["stored_bytes"] for row in rows)
    columns = (*_COSTS, *_LEFT) if is_pruned else _COSTS
    table = Table(box=SIMPLE, padding=(0, 1, 0, 0))
    table.add_column("model", overflow="fold")
    for column in columns:
        table.add_column(column.title, justify="right", no_wrap=True)
    for row in rows:
        table.add_row(escape(row["name"]), *(column.shown(row) for column in columns))
    return table


@dataclass(frozen=True, slots=True)
class _Column:
    """A figure of a row in some unit, short enough for a narrow terminal; files have it in full."""

    title: str
    figure: str
    unit: float = 1.0
    digits: int = 0

    def shown(self, row: JSON) -> str:
        return f"{row[self.figure] / self.unit:,.{self.digits}f}"


_COSTS = (
    _Column("parameters", "parameters"),
    _Column("kB", "stored_bytes", 1e3),
    _Column("MACs/s, M", "macs_per_second", 1e6, 1),
    _Column("trainings", "trainings"),
    _Column("seconds", "seconds"),
)
_LEFT = (_Column("not 0", "nominal_parameters"), _Column("kB packed", "packed_bytes", 1e3))


def _task_figures(task: JSON) -> str:
    """Return a task's metric above its interval: in per cent, or as it is if it is no share."""
    if METRICS[task["metric"]].is_share:
        return f"{_hundredths(task['value'])}\n{_ends(task['interval'])}"
    low, high = task["interval"]
    return f"{task['value']:.3f}\n{low:.3f} to {high:.3f}"


def _hundredths(fraction: float) -> str:
    return percent(fraction).removesuffix(" %")


def _ends(interval: Sequence[float]) -> str:
    return f"{100 * interval[0]:.1f} to {100 * interval[1]:.1f}"


def show_comparison_plan(name: str, document: JSON) -> None:
    """Print what a comparison would cost, and its study if that has to end first."""
    plan, study = document["comparison"], document["study"]
    table = Table(title=f"plan of comparing {escape(name)}, {plan['seeds']} seed(s)", box=SIMPLE, padding=(0, 1, 0, 0))
    table.add_column("system", no_wrap=True)
    table.add_column("trainings", justify="right", no_wrap=True)
    table.add_column("about")
    for system in plan["systems"]:
        trainings = "none" if system["refusal"] else _range(system, "trainings")
        about = f"has no row: {system['refusal']}" if system["refusal"] else system["summary"]
        table.add_row(system["system"], trainings, escape(about))
    console.print(table)
    shared = "which all rows share and the table leaves out"
    console.print(f"trainings: {_range(plan, 'trainings')}, of which {plan['baselines']} are baselines, {shared}")
    console.print(f"trained by the study already: {count(plan['known'])}")
    console.print(f"CPU seconds, estimated: {_range(plan, 'cpu_seconds')}")
    console.print(f"seconds on {plan['workers']} cores: {_range(plan, 'seconds')}")
    if study:
        console.print(f"the study has to end first: {_range(study, 'trials')} trainings, {_range(study, 'seconds')} s")


def _range(plan: JSON, figure: str) -> str:
    least, most = (plan[f"{figure}_at_{end}"] for end in ("least", "most"))
    return f"{least:,.0f}" if least == most else f"{least:,.0f} to {most:,.0f}"
