"""Datasets known by name, and the way from a study's word to a manifest."""

import fcntl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import Protocol

from taskgraft.errors import InvalidInput, Unavailable
from taskgraft.evaluators.datasets.cast import Shares
from taskgraft.evaluators.datasets.demo_speech import MANIFEST_NAME, RECIPE, build_demo_speech
from taskgraft.evaluators.datasets.demo_table import demo_report
from taskgraft.evaluators.datasets.progress import Progress
from taskgraft.evaluators.datasets.report import CheckReport
from taskgraft.evaluators.datasets.splits import Split
from taskgraft.evaluators.unfinished import sweep_unfinished

DEMO_CLIPS = 8_000
DEMO_SHARES: Shares = MappingProxyType({Split.TRAIN: 0.25, Split.VALIDATION: 0.25, Split.TEST: 0.5})
"""Validation and test are large enough to decide the demo's threshold of 2 %: docs/demo.md."""
DEMO_SEED = 0


def corpora_dir(data_dir: Path) -> Path:
    """Return the folder of the corpora that Taskgraft makes itself."""
    return data_dir / "corpora"


class KnownDataset(Protocol):
    """A dataset that Taskgraft makes itself."""

    def report(self) -> CheckReport:
        """Return what it holds, without making it."""
        ...

    def manifest(self, data_dir: Path, progress: Progress | None = None) -> Path:
        """Return its manifest below ``data_dir``; it is made on first use.

        Raises:
            Unavailable: it can't be made.
        """
        ...


class DemoSpeech:
    """The corpus ``demo-speech``: see `demo_speech`."""

    def report(self) -> CheckReport:
        """Return what the corpus holds, from its cast."""
        return demo_report(DEMO_CLIPS, DEMO_SEED, tuple(DEMO_SHARES.items()))

    def manifest(self, data_dir: Path, progress: Progress | None = None) -> Path:
        """Return the manifest; several processes that ask at once make the corpus once."""
        root = corpora_dir(data_dir) / f"demo-speech-{RECIPE}"
        manifest = root / MANIFEST_NAME
        if manifest.is_file():
            return manifest
        with _alone(root):
            if not manifest.is_file():
                sweep_unfinished(root.parent)
                build_demo_speech(root, DEMO_CLIPS, DEMO_SEED, progress, shares=DEMO_SHARES)
        return manifest


@contextmanager
def _alone(root: Path) -> Iterator[None]:
    """Wait for whoever makes ``root`` already; the system frees the lock however a process ends."""
    try:
        root.parent.mkdir(parents=True, exist_ok=True)
        lock = root.with_name(f".{root.name}.lock").open("w")
    except OSError as error:
        raise Unavailable(f"{root.parent} can't be written: {error.strerror}") from error
    with lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


KNOWN: Mapping[str, KnownDataset] = MappingProxyType({"demo-speech": DemoSpeech()})


def known_datasets() -> tuple[str, ...]:
    """Return the names that `resolve_dataset` knows, sorted."""
    return tuple(sorted(KNOWN))


def resolve_dataset(
    dataset: str, base: Path, data_dir: Path, *, allow_paths: bool, progress: Progress | None = None
) -> Path:
    """Return the manifest of a dataset: of a known name, or if ``allow_paths`` of a path relative to ``base``.

    A corpus that Taskgraft makes itself is made under ``data_dir`` on first use.

    Raises:
        InvalidInput: at ``dataset``: neither a known name nor, if allowed, a file or folder.
        Unavailable: the corpus can't be made.
    """
    if dataset in KNOWN:
        return KNOWN[dataset].manifest(data_dir, progress)
    if not allow_paths:
        raise InvalidInput.at("dataset", f"a dataset is one of {', '.join(known_datasets())}; got {dataset!r:.300}")
    return find_manifest(dataset, base)


def find_manifest(dataset: str, base: Path) -> Path:
    """Return the manifest, or the folder that holds one, at a path relative to ``base``.

    Raises:
        InvalidInput: at ``dataset``: there is nothing.
    """
    if dataset and _exists(base / dataset):
        return base / dataset
    known = ", ".join(known_datasets())
    if not dataset or not is_path(dataset):
        rule = f"a dataset is one of {known}, or the path of a manifest relative to {base}"
        raise InvalidInput.at("dataset", f"{rule}; got {dataset!r:.300}")
    raise InvalidInput.at("dataset", f"the manifest does not exist: {base / dataset}")


def is_path(dataset: str) -> bool:
    """Return whether the word stands for a file: it has a slash or the ending of a table."""
    return "/" in dataset or Path(dataset).suffix in (".csv", ".parquet", ".json", ".jsonl")


def _exists(path: Path) -> bool:
    try:
        return path.is_file() or path.is_dir()
    except (OSError, ValueError):
        return False
