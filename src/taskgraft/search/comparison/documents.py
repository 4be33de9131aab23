"""A comparison as files: JSON, CSV, Markdown and a picture."""

import csv
import io
import json
from collections.abc import Iterable, Iterator
from pathlib import Path

from taskgraft.evaluators.metrics import METRICS
from taskgraft.search.comparison.picture import draw_comparison
from taskgraft.search.study.comparison_table import ComparisonTable, Interval, Row

FILES = ("comparison.csv", "comparison.json", "comparison.md", "comparison.svg")


def write_comparison(folder: Path, name: str, table: ComparisonTable) -> None:
    """Write all `FILES` into a folder.

    Raises:
        OSError: they can't be written.
    """
    written = json.dumps(table.to_json(), indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    for file, text in zip(
        FILES, (to_csv(table), written, to_markdown(name, table), draw_comparison(table)), strict=True
    ):
        (folder / file).write_text(text, "utf-8")


def to_csv(table: ComparisonTable) -> str:
    """Return one line for each row; all figures are fractions of 1.

    The first columns are those of the source paper's table: ``model``, ``parameters``, one for each task, ``ar``.
    """
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    tasks = [task.name for task in table.rows[0].tasks] if table.rows else []
    ends = [f"{name}_{end}" for name in (*tasks, "ar") for end in ("low", "high")]
    costs = ("stored_bytes", "macs_per_second", "trainings", "seconds", "seeds", "system", "note")
    sizes = ("nominal_parameters", "packed_bytes")
    writer.writerow(["model", "parameters", *tasks, "ar", *ends, *costs, *sizes])
    for row in table.rows:
        intervals = (end for interval in (*(task.interval for task in row.tasks), row.ar_interval) for end in interval)
        figures = [*(task.value for task in row.tasks), row.ar, *intervals]
        took = (row.stored_bytes, row.macs_per_second, row.trainings, f"{row.seconds:.1f}")
        about = (row.seeds, row.system, row.note, row.nominal_parameters, row.packed_bytes)
        writer.writerow([row.name, row.parameters, *(f"{value:.6f}" for value in figures), *took, *about])
    return out.getvalue()


def to_markdown(name: str, table: ComparisonTable) -> str:
    """Return the table, systems without a row, and remarks; shares and AR are in per cent."""
    lines = [f"# {name}", ""]
    if table.rows:
        lines += _markdown_table(table.rows)
    if table.refusals:
        lines += ["", "Without a row:", ""]
        lines += [f"- {refusal.system}: {refusal.reason}" for refusal in table.refusals]
    return "\n".join([*lines, "", *(f"- {remark}" for remark in table.remarks), ""])


def _markdown_table(rows: Iterable[Row]) -> Iterator[str]:
    rows = tuple(rows)
    tasks = [f"{task.name} ({task.metric.replace('_', ' ')})" for task in rows[0].tasks]
    costs = ("parameters", "stored bytes", "MACs per second", "trainings", "seconds")
    sizes = ("nominal parameters", "packed bytes")
    yield _line(["model", *tasks, "AR", *costs, "about", *sizes])
    yield _line(["---", *("---:" for _ in (*tasks, "AR", *costs)), "---", *("---:" for _ in sizes)])
    for row in rows:
        took = (row.parameters, row.stored_bytes, row.macs_per_second, row.trainings, round(row.seconds))
        figures = [with_interval(task.value, task.interval, task.metric) for task in row.tasks]
        ar, packed = with_interval(row.ar, row.ar_interval), (row.nominal_parameters, row.packed_bytes)
        numbers, further = ([f"{n:,}" for n in some] for some in (took, packed))
        yield _line([row.name, *figures, ar, *numbers, row.note, *further])


def _line(cells: Iterable[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def with_interval(value: float, interval: Interval, metric: str | None = None) -> str:
    """Return a figure with its interval: in per cent, or as it is if the metric is no share.

    >>> with_interval(0.9523, (0.94, 0.961))
    '95.2 (94.0 to 96.1)'
    >>> with_interval(0.5, (0.25, 0.625), "concordance")
    '0.500 (0.250 to 0.625)'
    """
    if metric is None or METRICS[metric].is_share:
        return f"{100 * value:.1f} ({100 * interval[0]:.1f} to {100 * interval[1]:.1f})"
    return f"{value:.3f} ({interval[0]:.3f} to {interval[1]:.3f})"
