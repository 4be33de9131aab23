"""Forms of a manifest that people already have, each turned into the one form of `manifest`.

A form is known by the name of the column that holds the clips' paths:

- ``path``: our own manifest;
- ``file_name``: the metadata of a Hugging Face audio folder (https://huggingface.co/docs/datasets/audio_dataset);
- ``audio_filepath``: a NeMo manifest (https://docs.nvidia.com/nemo-framework, "Preparing custom ASR data").
"""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath
from types import MappingProxyType
from typing import Protocol

from taskgraft.evaluators.datasets.faultlog import FaultLog
from taskgraft.evaluators.datasets.splits import Split
from taskgraft.evaluators.datasets.table import JSON_LINES, Table

PATH, SPLIT = "path", "split"

_WORDS = MappingProxyType(
    {
        Split.TRAIN: ("train", "training"),
        Split.VALIDATION: ("validation", "valid", "val", "dev"),
        Split.TEST: ("test", "testing", "eval", "evaluation"),
    }
)
SPLIT_WORDS: Mapping[str, Split] = MappingProxyType({word: split for split, words in _WORDS.items() for word in words})
"""Every word that folders, files and fields use for a split, in lower case."""


class Form(Protocol):
    """One way to write a manifest."""

    @property
    def path_column(self) -> str:
        """The column that holds the clips' paths, by which the form is known."""
        ...

    def to_manifest(self, table: Table, root: Path, name: str, faults: FaultLog) -> Table:
        """Return the table in our own form; ``name`` is its file, relative to the dataset's folder ``root``."""
        ...


class OwnManifest:
    """Our own form: paths relative to the manifest, splits in the column ``split``."""

    path_column = PATH

    def to_manifest(self, table: Table, root: Path, name: str, faults: FaultLog) -> Table:
        """Return the table as it is."""
        return table


class AudioFolder:
    """Metadata of an audio folder: paths relative to the metadata's folder, splits by folder unless a column says."""

    path_column = "file_name"

    def to_manifest(self, table: Table, root: Path, name: str, faults: FaultLog) -> Table:
        """Put the metadata's folder before the paths, and read the splits."""
        folder = PurePosixPath(name).parent
        paths = [str(folder / path) if path else "" for path in table.columns[self.path_column]]
        return _renamed(table, self.path_column, paths, [split_of_folder(path) for path in paths])


class NemoManifest:
    """A NeMo manifest: one object per recording, splits by the file's name unless a field says."""

    path_column = "audio_filepath"

    def to_manifest(self, table: Table, root: Path, name: str, faults: FaultLog) -> Table:
        """Make paths relative, read the splits, and refuse pieces of recordings."""
        for row, offset in enumerate(table.columns.get("offset", ())):
            if offset not in ("", "0"):
                faults.add(table.at(row), f"a clip is a whole recording; this one starts at offset {offset}: cut it")
        paths = [_relative(path, root) for path in table.columns[self.path_column]]
        split = split_of_file(name)
        return _renamed(table, self.path_column, paths, [split] * len(paths), drop=("offset",))


FORMS: tuple[Form, ...] = (OwnManifest(), AudioFolder(), NemoManifest())


def form_of(table: Table, name: str) -> Form | None:
    """Return the form that a table is written in, ``name`` being its file; None if it has no column of paths.

    A table that has several such columns is our own if it is a CSV or Parquet file that is not called metadata.
    """
    path = PurePosixPath(name)
    foreign_first = path.stem == "metadata" or path.suffix in JSON_LINES
    forms = FORMS[::-1] if foreign_first else FORMS
    return next((form for form in forms if form.path_column in table.columns), None)


def split_of_folder(path: str) -> str:
    """Return the split that the first folder of a path names, as far as one does; else an empty text."""
    folders = PurePosixPath(path).parts[:-1]
    return next((SPLIT_WORDS[folder.lower()].value for folder in folders if folder.lower() in SPLIT_WORDS), "")


def split_of_file(name: str) -> str:
    """Return the split that a word of a file's name names; else an empty text.

    >>> split_of_file("dev-clean_manifest.json"), split_of_file("manifest.json")
    ('validation', '')
    """
    words = re.split(r"[^a-z]+", PurePosixPath(name).stem.lower())
    return next((SPLIT_WORDS[word].value for word in words if word in SPLIT_WORDS), "")


def _relative(path: str, root: Path) -> str:
    """Return the path below ``root`` of an absolute path that lies there; any other path unchanged."""
    for folder in (root.absolute(), root.resolve()):
        if path.startswith(f"{folder}/"):
            return path.removeprefix(f"{folder}/")
    return path


def _renamed(
    table: Table, path_column: str, paths: list[str], splits: Sequence[str], drop: Sequence[str] = ()
) -> Table:
    """Return the table with our names for paths and splits; a column ``split`` goes before folder and file names."""
    dropped = {path_column, PATH, SPLIT, *drop}
    columns = {name: cells for name, cells in table.columns.items() if name not in dropped}
    if SPLIT in table.columns:
        splits = [_known_word(word) for word in table.columns[SPLIT]]
    if SPLIT in table.columns or any(splits):
        columns = {SPLIT: list(splits), **columns}
    return Table(table.source, {PATH: paths, **columns}, table.lines, left_out=table.left_out)


def _known_word(word: str) -> str:
    """Return our word for a split; an unknown word is kept, so that it is reported as a fault of its line."""
    split = SPLIT_WORDS.get(word.lower())
    return word if split is None else split.value
