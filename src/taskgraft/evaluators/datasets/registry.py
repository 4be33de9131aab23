"""Data sets known by name, and the way from a study's word to a manifest."""

from collections.abc import Callable
from pathlib import Path
from types import MappingProxyType

from taskgraft.errors import Conflict, InvalidInput
from taskgraft.evaluators.datasets.cast import Shares
from taskgraft.evaluators.datasets.demo_speech import MANIFEST_NAME, RECIPE, build_demo_speech
from taskgraft.evaluators.datasets.splits import Split

DEMO_CLIPS = 8_000
DEMO_SHARES: Shares = MappingProxyType({Split.TRAIN: 0.25, Split.VALIDATION: 0.25, Split.TEST: 0.5})
"""So much for validation and test that the demo's threshold of 2 % can be decided: docs/demo.md."""
DEMO_SEED = 0

Progress = Callable[[int, int], None]
"""Told how many clips are made, of how many."""


def known_datasets() -> tuple[str, ...]:
    """The names that `resolve_dataset` knows, sorted."""
    return tuple(sorted(_CORPORA))


def resolve_dataset(
    dataset: str, base: Path, data_dir: Path, *, allow_paths: bool, progress: Progress | None = None
) -> Path:
    """The manifest of a data set: of a known name, or where ``allow_paths`` of a path relative to ``base``.

    A corpus that Taskgraft makes itself is made under ``data_dir`` on first use.

    Raises:
        InvalidInput: at ``dataset``: neither a known name nor, where allowed, a file.
        Unavailable: the corpus can't be made.
    """
    if dataset in _CORPORA:
        return _CORPORA[dataset](data_dir / "corpora", progress)
    if allow_paths and _is_file(base / dataset):
        return base / dataset
    rule = f"a data set is one of {', '.join(known_datasets())}"
    if allow_paths:
        rule += f", or the path of a manifest relative to {base}"
    raise InvalidInput.at("dataset", f"{rule}; got {dataset!r}")


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:
        return False


def _demo_speech(corpora: Path, progress: Progress | None) -> Path:
    root = corpora / f"demo-speech-{RECIPE}"
    manifest = root / MANIFEST_NAME
    if manifest.is_file():
        return manifest
    try:
        return build_demo_speech(root, DEMO_CLIPS, DEMO_SEED, progress, shares=DEMO_SHARES)
    except Conflict:
        if manifest.is_file():
            return manifest
        raise


_CORPORA: dict[str, Callable[[Path, Progress | None], Path]] = {"demo-speech": _demo_speech}
