"""CSV, JSON lines and Parquet tables as columns of text, each row with the line that it stands in."""

import csv
import io
import stat
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq

from taskgraft.errors import Fault, InvalidInput, MalformedInput
from taskgraft.evaluators.datasets.faultlog import FaultLog
from taskgraft.evaluators.datasets.json_lines import read_rows

if TYPE_CHECKING:
    from _csv import Reader

MAX_BYTES = 256 * 2**20
MAX_ROWS = 10_000_000
MAX_COLUMNS = 1_000
MAX_CELLS = 50_000_000
"""Rows times columns; JSON lines and Parquet can hold far more cells than bytes."""
JSON_LINES = (".jsonl", ".json")
_BATCH_ROWS = 8_192


@dataclass(frozen=True, slots=True)
class Table:
    """A table by columns: the cells of every column in row order, and the line where each row starts.

    Cells have no white space around them; a missing value is an empty cell. ``parts`` are the files that a joined
    table was read from, each with its first row. Line 0 means that a row stands in no file.
    """

    source: str
    columns: dict[str, list[str]]
    lines: list[int]
    parts: tuple[tuple[int, str], ...] = ()
    left_out: tuple[str, ...] = ()
    """Columns that hold lists or objects, which are no labels."""
    notes: tuple[str, ...] = ()
    """What a reader did not use and the user should know; a check warns of it."""

    def at(self, row: int) -> str:
        """Return where a row stands: ``manifest.csv:12``."""
        source = self.source
        if self.parts:
            source = self.parts[bisect_right(self.parts, row, key=lambda part: part[0]) - 1][1]
        return f"{source}:{self.lines[row]}" if self.lines[row] else source

    @property
    def header(self) -> str:
        """Where the names of the columns stand."""
        in_one_file = len(self.parts) < 2 and 0 not in self.lines[:1]
        return f"{self.source}:1" if in_one_file else self.source


def join_tables(source: str, tables: Sequence[Table]) -> Table:
    """Return the rows of several tables as one; a column that a table does not have is empty there."""
    names = list(dict.fromkeys(name for table in tables for name in table.columns))
    columns: dict[str, list[str]] = {name: [] for name in names}
    lines: list[int] = []
    parts: list[tuple[int, str]] = []
    for table in tables:
        parts.append((len(lines), table.source))
        lines += table.lines
        for name in names:
            columns[name] += table.columns.get(name) or [""] * len(table.lines)
    left_out = dict.fromkeys(name for table in tables for name in table.left_out)
    notes = dict.fromkeys(note for table in tables for note in table.notes)
    return Table(source, columns, lines, tuple(parts), tuple(left_out), tuple(notes))


def read_table(path: Path, required: Sequence[str], faults: FaultLog) -> Table:
    """Read a table by its ending: Parquet, JSON lines, or else CSV. Rows that don't fit are logged and left out.

    Lines of a file count from 1, the header of a CSV file; rows of a Parquet file count from 1, the first row.

    Raises:
        MalformedInput: a file that does not exist, can't be opened, is too large, or is not a table of its kind.
        InvalidInput: a column of ``required`` is missing or a column name appears twice.
    """
    with _bounded(path):
        if path.suffix == ".parquet":
            return _read_parquet(path, required, faults)
        if path.suffix in JSON_LINES:
            return _read_json_lines(path, required, faults)
        return _read_csv(path, required, faults, strict=True)


def read_tabs(path: Path, required: Sequence[str], faults: FaultLog) -> Table:
    """Read a table whose cells are separated by tabs; quotes mean nothing. Rows that don't fit are logged and left out.

    Raises:
        MalformedInput: as for `read_table`.
        InvalidInput: as for `read_table`.
    """
    with _bounded(path):
        return _read_csv(path, required, faults, delimiter="\t", quoting=csv.QUOTE_NONE)


def read_lines(path: Path) -> list[str]:
    """Return the lines of a text, without white space around them; line ``i`` stands at place ``i - 1``.

    Raises:
        MalformedInput: as for `read_table`.
    """
    with _bounded(path):
        return [line.strip() for line in _decode(path).split("\n")]


@contextmanager
def _bounded(path: Path) -> Iterator[None]:
    """Refuse what is too large or no plain file before it is read, and turn lower errors into our own."""
    try:
        status = path.stat()
        if stat.S_ISFIFO(status.st_mode) or stat.S_ISCHR(status.st_mode):  # which may never come to an end
            raise MalformedInput.at(path.name, "is not a plain file")
        if status.st_size > MAX_BYTES:
            raise MalformedInput.at(path.name, f"a table has at most {MAX_BYTES:,} bytes; got {status.st_size:,}")
        yield
    except pa.ArrowException as error:
        raise MalformedInput.at(path.name, f"is no Parquet table: {error}") from error
    except FileNotFoundError as error:
        raise MalformedInput.at(path.name, f"does not exist: {path}") from error
    except OSError as error:
        raise MalformedInput.at(path.name, f"cannot be read: {error.strerror or error}") from error


def _check_names(where: str, names: Sequence[str], required: Sequence[str]) -> None:
    missing = [name for name in required if name not in names]
    doubled = sorted(name for name, times in Counter(names).items() if times > 1)
    found = [Fault(where, f"column {name!r} is missing; there are {_some(names)}") for name in missing]
    found += [Fault(where, f"column {name!r} appears more than once") for name in doubled]
    found += [Fault(where, "every column has a name; got an empty one")] if "" in names else []
    if len(names) > MAX_COLUMNS:
        found = [Fault(where, f"a table has at most {MAX_COLUMNS:,} columns; got {len(names):,}")]
    if found:
        raise InvalidInput(found)


def _some(names: Sequence[str]) -> str:
    """Return a list of names that fits into a message."""
    return f"{list(names)!r:.1000}"


def check_cells(where: str, rows: int, columns: int) -> None:
    """Check that a table is not too large for memory.

    Raises:
        MalformedInput: at ``where``: too many rows or cells.
    """
    if rows > MAX_ROWS:
        raise MalformedInput.at(where, f"at most {MAX_ROWS:,} rows; got {rows:,}")
    if rows * columns > MAX_CELLS:
        raise MalformedInput.at(where, f"at most {MAX_CELLS:,} cells; got {rows:,} rows of {columns:,} columns")


def _read_json_lines(path: Path, required: Sequence[str], faults: FaultLog) -> Table:
    rows = read_rows(path.name, _decode(path), faults)
    _check_names(path.name, list(rows.names), required)
    check_cells(path.name, len(rows.cells), len(rows.names))
    columns = {name: [row.get(name, "") for row in rows.cells] for name in rows.names}
    return Table(path.name, columns, rows.lines, left_out=tuple(sorted(rows.left_out)))


def _read_csv(path: Path, required: Sequence[str], faults: FaultLog, **dialect: Any) -> Table:
    reader = csv.reader(io.StringIO(_decode(path), newline=""), **dialect)
    try:
        names = [name.strip() for name in next(reader, [])]
        _check_names(f"{path.name}:1", names, required)
        return _read_rows(reader, path.name, names, faults)
    except csv.Error as error:
        raise MalformedInput.at(f"{path.name}:{reader.line_num}", f"is no CSV: {error}") from error


def _read_rows(reader: "Reader", source: str, names: list[str], faults: FaultLog) -> Table:
    rows, lines = [], []
    start = reader.line_num + 1
    for row in reader:
        if len(row) == len(names):
            rows.append([cell.strip() for cell in row])
            lines.append(start)
        elif row:
            faults.add(f"{source}:{start}", f"a row has {len(names)} fields, as the header has; got {len(row)}")
        start = reader.line_num + 1
    cells = [list(column) for column in zip(*rows, strict=True)] or [[] for _ in names]
    return Table(source, dict(zip(names, cells, strict=True)), lines)


def _decode(path: Path) -> str:
    """Return the text of a UTF-8 file, with or without a byte order mark."""
    content = path.read_bytes()
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        faults = FaultLog()
        for number, line in enumerate(content.split(b"\n"), start=1):
            if not _is_utf8(line):
                faults.add(f"{path.name}:{number}", "the encoding is UTF-8; this line has bytes that are not")
        raise MalformedInput(faults.faults, faults.count - len(faults.faults)) from None


def _is_utf8(line: bytes) -> bool:
    try:
        line.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _read_parquet(path: Path, required: Sequence[str], faults: FaultLog) -> Table:
    with pq.ParquetFile(path) as file:
        _check_names(path.name, file.schema_arrow.names, required)
        check_cells(path.name, file.metadata.num_rows, len(file.schema_arrow.names))
        columns: dict[str, list[str]] = {}
        for field in file.schema_arrow:
            if pa.types.is_nested(field.type) or pa.types.is_binary(field.type):
                faults.add(path.name, f"column {field.name!r} holds {field.type}; a cell is text or a number")
            else:
                columns[field.name] = []
        for batch in file.iter_batches(_BATCH_ROWS, columns=list(columns)):
            for name, cells in columns.items():
                cells.extend("" if cell is None else str(cell).strip() for cell in _as_text(batch.column(name)))
        return Table(path.name, columns, list(range(1, file.metadata.num_rows + 1)))


def _as_text(column: pa.Array) -> list[str | None]:
    """Return cells as text; whole numbers stored as floats (a column with gaps) lose their point, NaN is missing."""
    if not pa.types.is_floating(column.type):
        cells: list[str | None] = column.cast(pa.string()).to_pylist()
        return cells
    return [None if cell is None or cell != cell else f"{cell:.15g}" for cell in column.to_pylist()]  # noqa: PLR0124
