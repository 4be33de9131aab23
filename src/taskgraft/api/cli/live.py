"""Live progress: of a study one bar for the whole and one for every training under way; of a count one bar."""

import math
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from typing import Any

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from taskgraft.api.cli.output import errors
from taskgraft.search.study.recipe_text import recipe_words

Study = Mapping[str, Any]

_UNITS = (("s", 5, 90), ("min", 60, 90 * 60), ("h", 3600, math.inf))
"""Of times: what a figure is rounded to, in seconds, and up to how many seconds the unit is used."""


class LiveStudy:
    """Draws a study's JSON form again and again; without a terminal it prints a line whenever something ended."""

    def __init__(self) -> None:
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.percentage:>3.0f} %"),
            TextColumn("{task.fields[note]}"),
            console=errors,
            transient=True,
            # Shown from a thread of its own: streams that it swapped would come back in the wrong order.
            redirect_stdout=False,
            redirect_stderr=False,
            disable=not sys.stderr.isatty(),
        )
        self._whole = self._progress.add_task("queued", total=1.0, note="")
        self._bars: dict[str, TaskID] = {}
        self._said = ""

    def __enter__(self) -> "LiveStudy":
        self._progress.start()
        return self

    def __exit__(self, *details: object) -> None:
        self._progress.stop()

    def show(self, study: Study) -> None:
        """Bring the bars up to date."""
        progress = study["progress"]
        stage = study["stage"] or ""
        done, eta = f"{progress['trials_done']} of {_planned(progress)} trainings", _eta(progress)
        if taken_over := progress.get("taken_over"):
            done += f" ({taken_over} taken over)"
        if self._progress.disable:
            self._say(f"{study['state']} {stage}: {done}", eta)
            return
        self._progress.update(
            self._whole, description=f"{study['state']}  {stage}", completed=progress["fraction"], note=done + eta
        )
        shown = {_name(training): training for training in study["running"]}
        for name in self._bars.keys() - shown.keys():
            self._progress.remove_task(self._bars.pop(name))
        for name, training in shown.items():
            if name not in self._bars:
                self._bars[name] = self._progress.add_task(f"  {name}", total=1.0, note="")
            note = f"{training['seconds']:.0f} s" + ", not asked for yet" * training.get("ahead", False)
            self._progress.update(self._bars[name], completed=training["fraction"], note=note)

    def _say(self, line: str, eta: str) -> None:
        """Print a line if it says something new, the time left apart."""
        if line != self._said:
            errors.print(line + eta)
            self._said = line


def _planned(progress: Mapping[str, Any]) -> str:
    """Say how many trainings there will be: a range while that is open."""
    least, most = progress["trials_planned"], progress.get("trials_at_most")
    return str(least or "?") if most is None or most <= least else f"{least} to {most}"


def _name(training: Mapping[str, Any]) -> str:
    repeat = f" #{training['repeat']}" if training["repeat"] else ""
    trunk = "trunk: " * training.get("trunk", False)
    recipe = f", {recipe_words(training['recipe'])}" if training.get("recipe") else ""
    return f"{trunk}{' + '.join(training['tasks'])}, {training['shared']} blocks shared{repeat}{recipe}"


def _eta(progress: Mapping[str, Any]) -> str:
    low = progress["eta_seconds"]
    return "" if low is None else f", {time_left(low, progress.get('eta_seconds_at_most') or low)} left"


def time_left(low: float, high: float) -> str:
    """Say a range of seconds in words, in the unit of its upper end; one figure if both ends read the same.

    >>> [time_left(*ends) for ends in ((4, 12), (100, 340), (3_000, 40_000), (170, 190), (2, 50))]
    ['5 to 10 s', '2 to 6 min', '1 to 11 h', 'about 3 min', '5 to 50 s']
    """
    unit, step, _ = next(unit for unit in _UNITS if high < unit[2])
    size = step if unit == "s" else 1
    ends = [max(1, round(end / step)) * size for end in (low, high)]
    return f"about {ends[1]} {unit}" if ends[0] == ends[1] else f"{ends[0]} to {ends[1]} {unit}"


def follow(studies: Iterable[Study]) -> Study:
    """Show a study until the last of its forms; returns that one."""
    last: Study = {}
    with LiveStudy() as live:
        for study in studies:
            live.show(study)
            last = study
    return last


@contextmanager
def counting(what: str, unit: str) -> Iterator[Callable[[int, int], None]]:
    """Show a bar for counted work, and yield a function that is called with how many are done, of how many.

    Without a terminal, one line is printed at the start. Nothing is shown for work that never starts to count.
    """
    tty = sys.stderr.isatty()
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn(unit))
    with Progress(*columns, TimeRemainingColumn(), console=errors, transient=True, disable=not tty) as progress:
        bars: list[TaskID] = []

        def show(done: int, total: int) -> None:
            if not bars:
                bars.append(progress.add_task(what, total=total))
                if not tty:
                    errors.print(f"{what}: {total:,} {unit}")
            progress.update(bars[0], completed=done)

        yield show


class Terminal:
    """Reports a run to a person: bars and messages on standard error. An `Observer` of `taskgraft.api.runs`."""

    def counting(self, what: str, unit: str) -> AbstractContextManager[Callable[[int, int], None]]:
        """See `Observer`."""
        return counting(what, unit)

    def follow(self, forms: Iterable[Study]) -> None:
        """See `Observer`."""
        follow(forms)

    def pausing(self) -> None:
        """See `Observer`."""
        errors.print("pausing; what was measured is kept, and the same command goes on from there")
