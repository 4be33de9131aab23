"""The reduction matrix: what sharing costs every pair of tasks, and how deep each pair may share."""

import csv
import io
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import combinations
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from taskgraft.errors import Fault, InvalidInput, MalformedInput
from taskgraft.space.tasks import NAME_RULE, is_valid_name

if TYPE_CHECKING:
    import networkx as nx

Pair = tuple[str, str]
FloatArray = npt.NDArray[np.float64]

_REQUIRED = ("task_a", "task_b", "depth", "ar")
_OPTIONAL = ("low", "high")
_BOUND = "at_most"
_YES = "yes"


class Decision(StrEnum):
    """Which figure of a cell has to keep the threshold."""

    POINT = "point"
    """The point estimate, as in the paper."""
    CONFIDENT = "confident"
    """The upper end of the interval; the point estimate if a cell has no interval."""


def check_threshold(threshold: float) -> None:
    """Accept Q if 0 <= Q < 1.

    Raises:
        InvalidInput: any other number.
    """
    if not 0 <= threshold < 1:
        raise InvalidInput.at("ar_threshold", f"the threshold Q is at least 0 and below 1; got {threshold}")


@dataclass(frozen=True, slots=True)
class Cell:
    """The AR of one pair at one depth, a fraction (0.02 = 2 %), with its interval if one was measured.

    Raises:
        InvalidInput: AR that is negative or not finite, or an interval that does not hold it.
    """

    ar: float
    low: float | None = None
    high: float | None = None
    is_bound: bool = False
    """Whether the pair's AR is at most ``ar``, and may be less: its training ended early, or a group stood for it."""

    def __post_init__(self) -> None:
        if not (math.isfinite(self.ar) and self.ar >= 0):
            raise InvalidInput.at("ar", f"AR is a finite fraction of at least 0; got {self.ar}")
        if self.low is not None and not (math.isfinite(self.low) and self.low <= self.ar):
            raise InvalidInput.at("low", f"the interval's lower end is finite and at most AR {self.ar}; got {self.low}")
        if self.high is not None and not (math.isfinite(self.high) and self.high >= self.ar):
            raise InvalidInput.at(
                "high", f"the interval's upper end is finite and at least AR {self.ar}; got {self.high}"
            )

    def deciding(self, decision: Decision) -> float:
        """Return the figure that is compared with the threshold."""
        return self.ar if decision is Decision.POINT or self.high is None else self.high


@dataclass(frozen=True, slots=True)
class ReductionMatrix:
    """AR of pairs of tasks at the depths tried; a pair or a depth that was not tried has no cell.

    Cells may be given under either order of a pair; they are kept under the order of ``tasks``.

    Raises:
        InvalidInput: no task or a repeated one; a pair of unknown, equal or repeated tasks; a negative depth.
    """

    tasks: tuple[str, ...]
    cells: Mapping[Pair, Mapping[int, Cell]] = field(hash=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "tasks", tuple(self.tasks))
        place = {task: index for index, task in enumerate(self.tasks)}
        if not place or len(place) != len(self.tasks):
            raise InvalidInput.at("tasks", f"one task or more, each named once; got {list(self.tasks)}")
        if faults := [fault for pair in self.cells for fault in _pair_faults(pair, self.cells, place)]:
            raise InvalidInput(faults)
        cells = {
            _ordered(first, second, place): MappingProxyType(dict(by_depth))
            for (first, second), by_depth in self.cells.items()
        }
        object.__setattr__(self, "cells", MappingProxyType(cells))

    def __reduce__(self) -> tuple[type["ReductionMatrix"], tuple[object, ...]]:
        return type(self), (self.tasks, {pair: dict(by_depth) for pair, by_depth in self.cells.items()})

    @classmethod
    def from_csv(cls, text: str, tasks: Sequence[str] | None = None) -> "ReductionMatrix":
        """Read ``task_a,task_b,depth,ar[,low,high][,at_most]``; tasks are in the order given, or of first appearance.

        ``at_most`` is ``yes`` if ``ar`` is an upper bound, and empty otherwise.

        Raises:
            MalformedInput: no header with these columns, or text that is not CSV.
            InvalidInput: every broken row, each named by its line.
        """
        reader = _CsvReader(tasks)
        reader.read(text)
        if reader.faults:
            raise InvalidInput(reader.faults)
        return cls(tuple(reader.place), reader.cells)

    def to_csv(self) -> str:
        """Return what `from_csv` reads, sorted by pair and depth; optional columns that no cell uses are left out."""
        cells = [cell for _, _, cell in self._rows()]
        columns: tuple[str, ...] = _REQUIRED
        columns += _OPTIONAL if any(cell.low is not None or cell.high is not None for cell in cells) else ()
        columns += (_BOUND,) if any(cell.is_bound for cell in cells) else ()
        out = io.StringIO()
        writer = csv.DictWriter(out, columns, extrasaction="ignore", lineterminator="\n")
        writer.writeheader()
        for (first, second), depth, cell in self._rows():
            values = (first, second, depth, cell.ar, cell.low, cell.high, _YES if cell.is_bound else None)
            writer.writerow(dict(zip((*_REQUIRED, *_OPTIONAL, _BOUND), values, strict=True)))
        return out.getvalue()

    def _rows(self) -> Iterator[tuple[Pair, int, Cell]]:
        for pair in self.pairs():
            by_depth = self.cells.get(pair, {})
            yield from ((pair, depth, by_depth[depth]) for depth in sorted(by_depth))

    def to_records(self) -> list[dict[str, Any]]:
        """Return one flat record per cell, sorted by pair and depth: ``pandas.DataFrame(matrix.to_records())``.

        Keys are ``task_a``, ``task_b``, ``depth``, ``ar``, ``low``, ``high`` (None if no interval was measured) and
        ``at_most`` (True if ``ar`` is an upper bound).
        """
        return [
            {"task_a": first, "task_b": second, "depth": depth, "ar": cell.ar, "low": cell.low, "high": cell.high}
            | {_BOUND: cell.is_bound}
            for (first, second), depth, cell in self._rows()
        ]

    def pairs(self) -> Iterator[Pair]:
        """Return every pair of tasks in task order, measured or not."""
        return combinations(self.tasks, 2)

    @property
    def deepest(self) -> int:
        """The largest depth that has a cell; 0 if there is none."""
        return max((max(by_depth) for by_depth in self.cells.values() if by_depth), default=0)

    def cell(self, first: str, second: str, depth: int) -> Cell | None:
        """Return what was measured for the pair, named in any order; None if that depth was not tried."""
        by_depth = self.cells.get((first, second)) or self.cells.get((second, first)) or {}
        return by_depth.get(depth)

    def reductions(self, depth: int) -> FloatArray:
        """Return the AR of every pair at ``depth``, shape (tasks, tasks), symmetric; 0 if it was not tried."""
        place = {task: index for index, task in enumerate(self.tasks)}
        array = np.zeros((len(place), len(place)))
        for (first, second), by_depth in self.cells.items():
            if depth in by_depth:
                row, column = place[first], place[second]
                array[row, column] = array[column, row] = by_depth[depth].ar
        return array

    def compatibility(self, threshold: float, decision: Decision = Decision.POINT) -> "nx.Graph[str]":
        """Return how deep each pair may share: the largest depth tried whose AR is at most ``threshold``.

        AR is not monotone in depth, so a deeper depth may pass although a shallower one does not. All tasks are nodes,
        in order; an edge has ``weight`` (that depth, above 0) and ``ar`` (AR there). A pair that fits nowhere has no
        edge.

        Raises:
            InvalidInput: a threshold outside 0 <= Q < 1.
        """
        import networkx as nx  # noqa: PLC0415  # a tenth of a second that workers, which know only `Pair`, do without

        check_threshold(threshold)
        graph: nx.Graph[str] = nx.Graph()
        graph.add_nodes_from(self.tasks)
        for (first, second), by_depth in self.cells.items():
            depth = max((d for d, cell in by_depth.items() if cell.deciding(decision) <= threshold), default=0)
            if depth:
                graph.add_edge(first, second, weight=depth, ar=by_depth[depth].ar)
        return graph


def _ordered(first: str, second: str, place: Mapping[str, int]) -> Pair:
    return (first, second) if place[first] <= place[second] else (second, first)


def _pair_faults(pair: Pair, cells: Mapping[Pair, Mapping[int, Cell]], place: Mapping[str, int]) -> Iterator[Fault]:
    first, second = pair
    where = "cells." + ",".join(pair)
    if first not in place or second not in place:
        yield Fault(where, f"the tasks are {list(place)}; got {list(pair)}")
    elif first == second:
        yield Fault(where, f"a pair has two tasks; got {first!r} twice")
    elif place[first] > place[second] and (second, first) in cells:
        yield Fault(where, "the pair is there in both orders")
    if min(cells[pair], default=0) < 0:
        yield Fault(where, f"a depth is at least 0; got {min(cells[pair])}")


class _CsvReader:
    """Collects the cells and the faults of one table, row by row."""

    def __init__(self, tasks: Iterable[str] | None) -> None:
        self.faults: list[Fault] = []
        self.cells: dict[Pair, dict[int, Cell]] = {}
        self.place = {task: index for index, task in enumerate(tasks or ())}
        self._open = tasks is None

    def read(self, text: str) -> None:
        rows = csv.reader(io.StringIO(text.removeprefix("\ufeff"), newline=""), strict=True)
        try:
            header = [name.strip() for name in next(rows, [])]
            _check_header(header)
            for values in rows:
                if values:
                    self._add(rows.line_num, header, values)
        except csv.Error as error:
            raise MalformedInput.at(f"line {rows.line_num}", f"not CSV: {error}") from None
        if not self.place and not self.faults:
            raise MalformedInput.at(f"line {rows.line_num}", "no rows below the header")

    def _add(self, line: int, header: list[str], values: list[str]) -> None:
        if len(values) != len(header):
            self.faults.append(Fault(f"line {line}", f"{len(header)} columns; got {len(values)}"))
            return
        row = {name: value.strip() for name, value in zip(header, values, strict=True)}
        faults = [*_depth_faults(row["depth"]), *_number_faults(row), *self._pair_faults(row["task_a"], row["task_b"])]
        if not faults:
            faults = self._keep(row)
        self.faults.extend(Fault(f"line {line}", message) for message in faults)

    def _pair_faults(self, first: str, second: str) -> Iterator[str]:
        for task in (first, second):
            if self._open and task not in self.place and is_valid_name(task):
                self.place[task] = len(self.place)
            if task not in self.place:
                rule = f"a task's name has {NAME_RULE}" if self._open else f"the tasks are {list(self.place)}"
                yield f"{rule}; got {task!r}"
        if first == second:
            yield f"a pair has two tasks; got {first!r} twice"

    def _keep(self, row: Mapping[str, str]) -> list[str]:
        pair, depth = _ordered(row["task_a"], row["task_b"], self.place), int(row["depth"])
        by_depth = self.cells.setdefault(pair, {})
        if depth in by_depth:
            return [f"{pair[0]}, {pair[1]} at depth {depth} is there already"]
        try:
            low, high = _optional(row.get("low")), _optional(row.get("high"))
            by_depth[depth] = Cell(float(row["ar"]), low, high, row.get(_BOUND) == _YES)
        except InvalidInput as error:
            return [str(fault) for fault in error.faults]
        return []


def _optional(value: str | None) -> float | None:
    return float(value) if value else None


def _depth_faults(value: str) -> Iterator[str]:
    if not (value.isascii() and value.isdigit() and len(value) < 10):
        yield f"depth is a whole number of at least 0; got {value!r}"


def _number_faults(row: Mapping[str, str]) -> Iterator[str]:
    for name in ("ar", *_OPTIONAL):
        value = row.get(name, "")
        if value or name == "ar":
            try:
                float(value)
            except ValueError:
                yield f"{name}: a number; got {value!r}"
    if row.get(_BOUND, "") not in ("", _YES):
        yield f"{_BOUND}: {_YES} or nothing; got {row[_BOUND]!r}"


def _check_header(header: list[str]) -> None:
    known = (*_REQUIRED, *_OPTIONAL, _BOUND)
    faults = [Fault("line 1", f"no column {name!r}") for name in _REQUIRED if name not in header]
    faults += [Fault("line 1", f"columns are {', '.join(known)}; got {name!r}") for name in header if name not in known]
    faults += [Fault("line 1", f"column {name!r} twice") for name in known if header.count(name) > 1]
    if faults:
        raise MalformedInput(faults)
