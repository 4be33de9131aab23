"""Giving a service the datasets that a study names by path: registered if it can read them, uploaded otherwise."""

import re
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from pathlib import Path

from taskgraft.api.client import Client
from taskgraft.api.client.call import JSON
from taskgraft.errors import InvalidInput, NotFound
from taskgraft.evaluators.datasets.faultlog import FaultLog
from taskgraft.evaluators.datasets.fingerprint import fingerprint
from taskgraft.evaluators.datasets.layout import Layout, find_layout
from taskgraft.evaluators.datasets.manifest import read_corpus
from taskgraft.evaluators.datasets.registry import find_manifest, is_path
from taskgraft.search.study.outline import within
from taskgraft.search.study.spec import StudySpec

Counting = Callable[[str, str], AbstractContextManager[Callable[[int, int], None]]]
"""Shows work that is counted, given what it is and the unit."""

_COMMON_STEMS = frozenset({"manifest", "metadata"})
_MAX_NAME = 56


def publish(client: Client, name: str, source: Path, counting: Counting) -> JSON:
    """Register or upload a manifest, a folder that holds one, or a zip; what the service already has is not sent again.

    Raises:
        InvalidInput: the manifest has faults, or the service refuses it.
    """
    if source.suffix.lower() == ".zip":
        return _upload(client, name, source, counting)
    corpus = read_corpus(source)
    with counting(f"comparing {source}", "files") as progress:
        digest = fingerprint(corpus, progress)
    try:
        known = client.dataset(name)
    except NotFound:
        known = {}
    if known.get("state") == "ready" and known.get("fingerprint") == digest:
        return known
    try:
        return client.register_dataset(name, str(source.resolve()))
    except InvalidInput as error:
        if {fault.where for fault in error.faults} != {"manifest"}:
            raise
    return _upload(client, name, source, counting)


def _upload(client: Client, name: str, source: Path, counting: Counting) -> JSON:
    with counting(f"uploading {source}", "bytes") as progress:
        return client.upload_dataset(name, source, progress)


def publish_study(
    client: Client, spec: StudySpec, base: Path, counting: Counting, said: Callable[[JSON], None]
) -> StudySpec:
    """Publish the manifests that a study names by path, relative to ``base``; returns the study with their names.

    A word without a slash or an ending of a table is the name of a dataset that the service has. ``said`` is called
    with every published dataset.

    Raises:
        InvalidInput: with the faults of all manifests, each naming its task.
    """
    paths = _paths(spec, base)
    names = _names(paths)
    for dataset, path in paths.items():
        said(publish(client, names[dataset], path, counting))
    tasks = [task.model_copy(update={"dataset": names.get(task.dataset, task.dataset)}) for task in spec.tasks]
    return spec.model_copy(update={"tasks": tuple(tasks)})


def _paths(spec: StudySpec, base: Path) -> dict[str, Path]:
    """Return the manifests that a study names, which all exist and can be read."""
    faults = FaultLog()
    found: dict[str, Path] = {}
    for place, dataset in enumerate(task.dataset for task in spec.tasks):
        if is_path(dataset) and dataset not in found:
            try:
                found[dataset] = find_manifest(dataset, base)
                find_layout(found[dataset])
            except InvalidInput as error:
                faults.include(within(f"tasks.{place}", error))
    faults.raise_if_any()
    return found


def _names(paths: Mapping[str, Path]) -> dict[str, str]:
    """Return a name for each path; two paths have the same name only if they are the same place."""
    names: dict[str, str] = {}
    places: dict[str, Layout] = {}
    for dataset, path in paths.items():
        place, number = find_layout(path.resolve()), 1
        name = stem = derive_name(path.resolve())
        while places.setdefault(name, place) != place:
            number += 1
            name = f"{stem}-{number}"
        names[dataset] = name
    return names


def derive_name(path: Path) -> str:
    """Return a dataset's name for a manifest: that of its folder, with the file's own if it says anything.

    >>> derive_name(Path("/data/My corpus/manifest.csv")), derive_name(Path("/data/emodb/adults.csv"))
    ('My-corpus', 'emodb-adults')
    """
    folder = path if path.is_dir() else path.parent
    words = [folder.name] if path.is_dir() or path.stem in _COMMON_STEMS else [folder.name, path.stem]
    plain = re.sub(r"[^A-Za-z0-9_.-]+", "-", "-".join(words)).strip("-._")
    return plain[:_MAX_NAME] or "dataset"
