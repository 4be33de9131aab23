"""How commands speak: JSON or tables for people on standard output, errors on standard error."""

import json
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.tree import Tree

from taskgraft.errors import InvalidInput, TaskgraftError, TrainingFailed, Unavailable

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document instead of text.")]

console = Console(highlight=False, soft_wrap=True)
errors = Console(stderr=True, highlight=False, soft_wrap=True)


def exit_code(error: TaskgraftError) -> int:
    """2 where what the user gave or asked for is at fault, 1 where something else is."""
    return 1 if isinstance(error, Unavailable | TrainingFailed) else 2


@contextmanager
def errors_as_exit_codes() -> Iterator[None]:
    """Turn the error tree into a message and an exit code."""
    try:
        yield
    except TaskgraftError as error:
        faults = error.faults if isinstance(error, InvalidInput) else (error,)
        for fault in faults:
            errors.print(f"[red]error:[/red] {escape(str(fault))}")
        raise typer.Exit(exit_code(error)) from None
    except BrokenPipeError:  # the reader of our output has seen enough
        sys.stderr.close()
        raise typer.Exit(0) from None


def print_json(document: object) -> None:
    """One JSON document on standard output, whatever the terminal."""
    sys.stdout.write(json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def percent(fraction: float) -> str:
    """0.0123 as 1.23 %."""
    return f"{100 * fraction:.2f} %"


def count(number: int | None) -> str:
    """A size with thousands apart."""
    return "unknown" if number is None else f"{number:,}"


def matrix_table(matrix: Mapping[str, Any], threshold: float) -> Table:
    """AR of every pair by depth, green where it keeps the threshold; a dot where that depth was not tried."""
    cells = {(cell["task_a"], cell["task_b"], cell["depth"]): cell for cell in matrix["cells"]}
    depths = sorted({depth for _, _, depth in cells})
    table = Table(title=f"accuracy reduction by blocks shared (validation; green keeps {percent(threshold)})")
    table.add_column("pair")
    for depth in depths:
        table.add_column(str(depth), justify="right")
    for first, second in sorted(
        {(a, b) for a, b, _ in cells}, key=lambda pair: [matrix["tasks"].index(t) for t in pair]
    ):
        row = [cells.get((first, second, depth)) for depth in depths]
        table.add_row(f"{first} + {second}", *(_cell(cell, threshold) for cell in row))
    return table


def _cell(cell: Mapping[str, Any] | None, threshold: float) -> str:
    if cell is None:
        return "·"
    colour = "green" if cell["ar"] <= threshold else "red"
    return f"[{colour}]{percent(cell['ar'])}[/{colour}]"


def tree_text(document: Mapping[str, Any]) -> Tree:
    """The tree with the blocks of every node."""
    root = Tree(_label(document["root"]))
    pending = [(root, document["root"])]
    while pending:
        branch, node = pending.pop()
        pending.extend((branch.add(_label(child)), child) for child in node["children"])
    return root


def _label(node: Mapping[str, Any]) -> str:
    start, stop = node["blocks"]
    blocks = f"blocks {start + 1}-{stop}" if stop > start + 1 else f"block {stop}" if stop > start else "no block"
    names = ", ".join(node["tasks"])
    return f"[bold]{escape(names)}[/bold]  {blocks}" + ("" if node["children"] else " + head")


def result_table(study: Mapping[str, Any]) -> Table:
    """What a finished study found."""
    result = study["result"]
    low, high = result["ar_interval"]
    saved = 1 - result["parameters"] / result["independent_parameters"]
    table = Table(show_header=False)
    table.add_row("verified", "yes" if result["verified"] else "no")
    table.add_row("AR on test", f"{percent(result['ar'])}  (95 % interval {percent(low)} to {percent(high)})")
    table.add_row("threshold", percent(study["spec"]["ar_threshold"]))
    table.add_row(
        "parameters",
        f"{count(result['parameters'])} (independent models: {count(result['independent_parameters'])}; "
        f"{percent(saved)} saved)",
    )
    table.add_row("MACs per second of audio", count(result["macs_per_second"]))
    if study["reason"]:
        table.add_row("remark", escape(study["reason"]))
    return table
