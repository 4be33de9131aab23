"""CSV and Parquet tables as columns of text, each row with the line where it stands."""

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq

from taskgraft.errors import Fault, InvalidInput, MalformedInput
from taskgraft.evaluators.datasets.faultlog import FaultLog

if TYPE_CHECKING:
    from _csv import Reader

MAX_BYTES = 256 * 2**20
MAX_ROWS = 10_000_000
_BATCH_ROWS = 8_192


@dataclass(frozen=True, slots=True)
class Table:
    """A table by columns: the cells of every column in row order, and the line where each row starts.

    Cells have no white space around them; a missing value is an empty cell.
    """

    source: str
    columns: dict[str, list[str]]
    lines: list[int]

    def at(self, row: int) -> str:
        """Where a row stands: ``manifest.csv:12``."""
        return f"{self.source}:{self.lines[row]}"

    @property
    def header(self) -> str:
        """Where the names of the columns stand."""
        return f"{self.source}:1"


def read_table(path: Path, required: Sequence[str], faults: FaultLog) -> Table:
    """Read a table by its ending, ``.parquet`` or else CSV; rows that don't fit the header are logged and left out.

    Lines of a CSV file count from 1, the header; rows of a Parquet file count from 1, the first row.

    Raises:
        MalformedInput: a file that can't be opened, is too large, or is neither UTF-8 CSV nor Parquet.
        InvalidInput: a column of ``required`` is missing or a column name appears twice.
    """
    try:
        if path.stat().st_size > MAX_BYTES:
            raise MalformedInput.at(path.name, f"a table has at most {MAX_BYTES:,} bytes; got {path.stat().st_size:,}")
        if path.suffix == ".parquet":
            return _read_parquet(path, required, faults)
        return _read_csv(path, required, faults)
    except pa.ArrowException as error:
        raise MalformedInput.at(path.name, f"is no Parquet table: {error}") from error
    except OSError as error:
        raise MalformedInput.at(path.name, f"cannot be read: {error.strerror or error}") from error


def _check_names(where: str, names: Sequence[str], required: Sequence[str]) -> None:
    missing = [name for name in required if name not in names]
    doubled = sorted({name for name in names if names.count(name) > 1})
    found = [Fault(where, f"column {name!r} is missing; there are {list(names)}") for name in missing]
    found += [Fault(where, f"column {name!r} appears more than once") for name in doubled]
    found += [Fault(where, "every column has a name; got an empty one")] if "" in names else []
    if found:
        raise InvalidInput(found)


def _read_csv(path: Path, required: Sequence[str], faults: FaultLog) -> Table:
    reader = csv.reader(io.StringIO(_decode(path), newline=""), strict=True)
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
    """The text of a UTF-8 file, with or without a byte order mark."""
    content = path.read_bytes()
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        faults = FaultLog()
        for number, line in enumerate(content.split(b"\n"), start=1):
            if not _is_utf8(line):
                faults.add(f"{path.name}:{number}", "the encoding is UTF-8; this line has bytes that are not")
        raise MalformedInput(faults.listed()) from None


def _is_utf8(line: bytes) -> bool:
    try:
        line.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _read_parquet(path: Path, required: Sequence[str], faults: FaultLog) -> Table:
    with pq.ParquetFile(path) as file:
        if file.metadata.num_rows > MAX_ROWS:
            raise MalformedInput.at(path.name, f"at most {MAX_ROWS:,} rows; got {file.metadata.num_rows:,}")
        _check_names(path.name, file.schema_arrow.names, required)
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
    """Cells as text; whole numbers stored as floats (a column with gaps) lose their point, NaN is missing."""
    if not pa.types.is_floating(column.type):
        cells: list[str | None] = column.cast(pa.string()).to_pylist()
        return cells
    return [None if cell is None or cell != cell else f"{cell:.15g}" for cell in column.to_pylist()]  # noqa: PLR0124
