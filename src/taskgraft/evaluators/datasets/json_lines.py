"""JSON lines: one object per line, whose scalar values become cells of text."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from taskgraft.evaluators.datasets.faultlog import FaultLog


@dataclass(slots=True)
class JsonRows:
    """The objects of a file as rows of text, and the line of each."""

    names: dict[str, None] = field(default_factory=dict)
    """Keys that hold scalars, in order of appearance."""
    left_out: set[str] = field(default_factory=set)
    """Keys that hold a list or an object in some row."""
    cells: list[dict[str, str]] = field(default_factory=list)
    lines: list[int] = field(default_factory=list)


def read_rows(source: str, text: str, faults: FaultLog) -> JsonRows:
    """Read the objects of ``text``; lines that hold something else are logged, with their number, and left out."""
    rows = JsonRows()
    for number, line in _lines(text):
        if (found := _object(line, f"{source}:{number}", faults)) is not None:
            rows.left_out.update(name for name, value in found.items() if isinstance(value, list | dict))
            row = {name: _text(value) for name, value in found.items() if not isinstance(value, list | dict)}
            rows.names.update(dict.fromkeys(row))
            rows.cells.append(row)
            rows.lines.append(number)
    for name in rows.left_out:
        rows.names.pop(name, None)
    return rows


def _lines(text: str) -> Iterator[tuple[int, str]]:
    """Yield the lines that are not blank. Only a newline ends one: JSON texts may hold all other line separators."""
    for number, line in enumerate(text.split("\n"), start=1):
        if line.strip():
            yield number, line


def _object(line: str, where: str, faults: FaultLog) -> dict[str, Any] | None:
    try:
        value = json.loads(line)
        json.dumps(value, ensure_ascii=False).encode()  # a lone half of a surrogate pair is not text
    except (ValueError, RecursionError) as error:
        faults.add(where, f"a line is one JSON object; this one can't be read: {error}")
        return None
    if not isinstance(value, dict):
        faults.add(where, f"a line is one JSON object; got {type(value).__name__}")
        return None
    return {name.strip(): cell for name, cell in value.items()}


def _text(value: object) -> str:
    """Return a scalar as text; NaN is missing, and a whole number that is written as a fraction loses its point."""
    if value is None or value != value:  # noqa: PLR0124
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:.15g}" if isinstance(value, float) else str(value).strip()
