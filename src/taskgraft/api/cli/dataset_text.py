"""What commands print for people about datasets: reports of a check, datasets of a service."""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from rich.markup import escape
from rich.table import Table

from taskgraft.api.cli.output import console, count, errors

if TYPE_CHECKING:
    from taskgraft.evaluators.datasets.report import CheckReport, EventReport, LabelReport

JSON = Mapping[str, Any]


def show_check(report: "CheckReport") -> None:
    """Print faults and warnings of a data set on standard error, and its contents on standard output."""
    for fault in report.faults:
        errors.print(f"[red]error:[/red] {escape(str(fault))}")
    if left_out := report.fault_count - len(report.faults):
        errors.print(f"[red]error:[/red] and {left_out:,} more")
    for warning in report.warnings:
        errors.print(f"[yellow]warning:[/yellow] {escape(warning)}")
    console.print(f"{report.clips:,} clips, {report.seconds:,.1f} s of audio")
    for column, found in report.labels.items():
        _show_labels(column, found)
    for event, heard in report.events.items():
        _show_event(event, heard)
    console.print("no faults" if report.ok else f"{report.fault_count:,} faults")


def _show_labels(column: str, found: "LabelReport") -> None:
    _show_counts(column, found.counts, found.distinct)


def _show_counts(column: str, by_split: Mapping[Any, Mapping[str, int]], distinct: int) -> None:
    if not by_split:
        console.print(f"{escape(column)}: {distinct:,} distinct values")
        return
    table = Table("label", *by_split, title=escape(column))
    for label in sorted({label for counts in by_split.values() for label in counts}):
        table.add_row(escape(label), *(count(counts.get(label, 0)) for counts in by_split.values()))
    console.print(table)


def _show_event(event: str, heard: "EventReport") -> None:
    clips = ", ".join(f"{number:,} {split}" for split, number in heard.clips.items())
    console.print(f"{escape(event)}: {heard.seconds or 0:,.1f} s in clips of {clips}")


def describe_dataset(dataset: JSON) -> str:
    """Describe a dataset in one line."""
    clips = "" if dataset["clips"] is None else f", {dataset['clips']:,} clips"
    return f"dataset {dataset['name']}, version {dataset['version']}: {dataset['state']}, {dataset['source']}{clips}"


def show_dataset_line(dataset: JSON) -> None:
    """Print a dataset in one line."""
    console.print(escape(describe_dataset(dataset)))


def show_datasets(datasets: Iterable[JSON]) -> None:
    """Print one line per dataset."""
    table = Table("name", "version", "state", "clips", "columns", "events")
    for dataset in datasets:
        clips = count(dataset["clips"]) if dataset["clips"] is not None else ""
        columns, events = (", ".join(dataset[key]) for key in ("columns", "events"))
        row = (dataset["name"], str(dataset["version"]), dataset["state"], clips, columns, events)
        table.add_row(*map(escape, row))
    console.print(table)


def show_dataset(dataset: JSON) -> None:
    """Print what a check found about a dataset, and how far the check is."""
    for fault in dataset["faults"]:
        errors.print(f"[red]error:[/red] {escape(fault['where'])}: {escape(fault['message'])}")
    if left_out := dataset["fault_count"] - len(dataset["faults"]):
        errors.print(f"[red]error:[/red] and {left_out:,} more")
    for warning in dataset["warnings"]:
        errors.print(f"[yellow]warning:[/yellow] {escape(warning)}")
    show_dataset_line(dataset)
    if dataset["progress"]:
        console.print(f"checked {dataset['progress']['done']:,} of {dataset['progress']['total']:,} clips")
    for column, counts in dataset["columns"].items():
        _show_counts(column, counts, dataset["distinct"][column])
    for event, heard in dataset["events"].items():
        clips = ", ".join(f"{number:,} {split}" for split, number in heard["clips"].items())
        console.print(f"{escape(event)}: sounds in clips of {clips}")
