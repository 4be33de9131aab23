"""Output of commands: JSON, or text for people, on standard output; faults and progress on standard error."""

import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape

from taskgraft.errors import Fault, InvalidInput, TaskgraftError, TrainingFailed, Unavailable

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document instead of text.")]

console = Console(highlight=False, soft_wrap=True)
errors = Console(stderr=True, highlight=False, soft_wrap=True)


def exit_code(error: TaskgraftError) -> int:
    """Return 2 if what the user gave or asked for is at fault, 1 otherwise."""
    return 1 if isinstance(error, Unavailable | TrainingFailed) else 2


@contextmanager
def errors_as_exit_codes(as_json: bool = False) -> Iterator[None]:
    """Turn the error tree into messages and an exit code; with ``as_json`` into a document with ``errors``, too."""
    try:
        yield
        sys.stdout.flush()  # here: when the interpreter ends, a closed pipe can no longer be handled
    except TaskgraftError as error:
        faults = error.listed() if isinstance(error, InvalidInput) else (Fault("", str(error)),)
        for fault in faults:
            show_error(fault)
        if as_json:
            print_json({"errors": [{"field": fault.where, "message": fault.message} for fault in faults]})
        raise typer.Exit(exit_code(error)) from None
    except BrokenPipeError:  # the reader of our output has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise typer.Exit(0) from None


def show_error(fault: Fault) -> None:
    """Print one fault on standard error."""
    errors.print(f"[red]error:[/red] {escape(str(fault))}")


def print_json(document: object) -> None:
    """Print one JSON document on standard output, in the same form with and without a terminal."""
    sys.stdout.write(json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def percent(fraction: float) -> str:
    """Return 0.0123 as 1.23 %."""
    return f"{100 * fraction:.2f} %"


def count(number: int | None) -> str:
    """Return a size with commas between thousands; "unknown" for None."""
    return "unknown" if number is None else f"{number:,}"
