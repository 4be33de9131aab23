"""Putting a report on the disk, whole or not at all."""

import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path

from taskgraft.api.reports.contents import JSON, Contents
from taskgraft.api.reports.drawn import draw_all
from taskgraft.api.reports.formats import Convert, Format
from taskgraft.api.reports.page import render
from taskgraft.errors import Conflict, Unavailable

PAGE = "report.html"


def check_plain(name: str) -> None:
    """Check that a name is that of a file in a folder, and of nothing elsewhere: a service may say anything.

    Raises:
        Unavailable: it is not.
    """
    if name in ("", ".", "..") or not name.isprintable() or {"/", "\\"} & set(name):
        raise Unavailable(f"the study has a name that no file can have: {name!r:.80}")


def default_folder(study: JSON) -> Path:
    """Return the folder of a study's report if nobody names another.

    Raises:
        Unavailable: the study has a name that leads elsewhere.
    """
    name = f"{study['name']}-{study['id']}-report"
    check_plain(name)
    return Path(name)


def write_report(contents: Contents, out: Path, converters: Mapping[Format, Convert]) -> list[Path]:
    """Write the page and the pictures into a new folder, and return its files, the page first.

    Raises:
        Conflict: ``out`` exists.
        Unavailable: the disk can't be written, or a task has a name that leads elsewhere.
    """
    if out.exists():
        raise Conflict(f"{out} is there already")
    pictures = list(draw_all(contents))
    files = {PAGE: render(contents, pictures).encode()}
    files |= {f"{drawn.name}.{kind}": convert(drawn.svg) for drawn in pictures for kind, convert in converters.items()}
    for name in files:
        check_plain(name)
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        beside = Path(tempfile.mkdtemp(dir=out.parent, prefix=f".{out.name}."))
        try:
            for name, content in files.items():
                (beside / name).write_bytes(content)
            beside.chmod(0o755)  # temporary folders are for their owner alone
            beside.rename(out)
        finally:
            shutil.rmtree(beside, ignore_errors=True)
    except OSError as error:
        raise Unavailable(f"{out} can't be written: {error.strerror}") from error
    return [out / name for name in files]
