"""Malformed manifests, zips and study files by the thousand: clear errors, no hang, nothing outside the data folder.

The long form, 10,000 examples of each kind, some minutes on one core:

    python -m tests.faults.malformed --examples 10000
"""

import argparse
import contextlib
import json
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from taskgraft.api.middleware.json_bodies import check_json
from taskgraft.api.study_files import read_posted_study
from taskgraft.errors import InvalidInput
from taskgraft.evaluators.datasets.archive import Limits, extract, inspect
from taskgraft.evaluators.datasets.check import check_manifest, check_tables
from taskgraft.search.study.spec import StudySpec
from tests.evaluators.datasets.zips import zip_of

SECONDS = 5.0
"""No example may take longer, of one core."""
LIMITS = Limits(bytes=1 << 20, files=100, expanded=1 << 22)

SOUND_STUDY: dict[str, Any] = {
    "name": "study",
    "ar_threshold": 0.02,
    "tasks": [
        {"name": "gender", "dataset": "speech", "target": "gender"},
        {"name": "vad", "dataset": "speech", "target": "speech", "kind": "frames"},
    ],
    "depths": [4, 8],
    "strategy": "adaptive",
    "repeats": 1,
    "training": {"epochs": 5, "loss_weighting": "sum", "algorithm": "soft"},
    "budget": {"trials": 100, "seconds": None},
}
SOUND_MANIFEST = "path,split,group,gender\na.wav,train,x,f\nb.wav,validation,y,m\nc/d.wav,test,z,\n"
SOUND_SEGMENTS = "path,onset,offset,event\na.wav,0.1,0.5,speech\n"

_ODD = st.sampled_from(
    [
        "",
        "\0",
        "\ufeff",
        "\ud800",
        "../x",
        "/etc/passwd",
        "a" * 3_000,
        "1e999",
        "nan",
        "-0",
        "9" * 500,
        "null",
        "*a",
        "!!x",
    ]
)
_SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=20), _ODD, st.integers(-(10**30), 10**30)
)
_VALUES = st.recursive(
    _SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8) | _ODD, inner, max_size=4),
    max_leaves=12,
)


@st.composite
def changed_studies(draw: st.DrawFn) -> dict[str, Any]:
    """A study with some of its values replaced, removed, or joined by others."""
    study: dict[str, Any] = json.loads(json.dumps(SOUND_STUDY))
    for _ in range(draw(st.integers(1, 4))):
        place: Any = study
        while True:
            keys = list(place) if isinstance(place, dict) else list(range(len(place)))
            if not keys:
                break
            key = draw(st.sampled_from(keys))
            if isinstance(place[key], dict | list) and place[key] and draw(st.booleans()):
                place = place[key]
                continue
            _change(draw, place, key)
            break
    return study


def _change(draw: st.DrawFn, place: Any, key: Any) -> None:
    how = draw(st.sampled_from(["replace", "replace", "remove", "add"]))
    if how == "replace":
        place[key] = draw(_VALUES)
    elif how == "remove":
        del place[key]
    elif isinstance(place, dict):
        place[draw(st.text(max_size=8) | _ODD)] = draw(_VALUES)
    else:
        place.append(draw(_VALUES))


@st.composite
def damaged(draw: st.DrawFn, sound: bytes) -> bytes:
    """Bytes with some of them changed, inserted, repeated or cut off."""
    content = bytearray(sound)
    for _ in range(draw(st.integers(1, 6))):
        place = draw(st.integers(0, len(content)))
        how = draw(st.sampled_from(["set", "insert", "cut", "repeat"]))
        piece = draw(st.binary(min_size=1, max_size=6) | _ODD.map(lambda odd: odd.encode("utf-8", "surrogatepass")))
        if how == "set":
            content[place : place + len(piece)] = piece
        elif how == "insert":
            content[place:place] = piece
        elif how == "cut":
            del content[place : place + draw(st.integers(1, 30))]
        else:
            content[place:place] = content[: place + 1] * draw(st.integers(1, 30))
    return bytes(content)


_STUDY_FILES = st.one_of(
    changed_studies().map(lambda study: json.dumps(study).encode("utf-8", "surrogatepass")),
    damaged(json.dumps(SOUND_STUDY, indent=1).encode()),
    st.binary(max_size=300),
    st.text(alphabet="{}[]:-&*!|>'\"#%@`, \n\tabc019.~", max_size=80).map(str.encode),
)
_TABLES = st.one_of(
    damaged(SOUND_MANIFEST.encode()), st.binary(max_size=300), st.text(st.characters(codec="utf-8")).map(str.encode)
)
_MANIFESTS = st.fixed_dictionaries(
    {"manifest.csv": _TABLES},
    optional={
        "segments.csv": st.one_of(damaged(SOUND_SEGMENTS.encode()), st.binary(max_size=200)),
        "a.wav": st.binary(max_size=100),
        "manifest.jsonl": _TABLES,
        "manifest.parquet": st.binary(max_size=100).map(lambda some: b"PAR1" + some + b"PAR1"),
        "metadata.jsonl": damaged(b'{"file_name": "a.wav", "gender": "f"}\n'),
    },
)
_NAMES = st.one_of(
    st.sampled_from(
        [
            "manifest.csv",
            "a.wav",
            "../a.wav",
            "/a.wav",
            "a/../../b",
            "C:\\x",
            "a\\..\\b",
            "top/manifest.csv",
            "a/",
            ".",
            "..",
            "CON",
        ]
    ),
    st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=20),
)
_FILES = st.dictionaries(_NAMES, st.binary(max_size=60), max_size=6)
_ZIPS = st.one_of(
    _FILES.map(zip_of),
    _FILES.flatmap(lambda files: damaged(zip_of(files, zipfile.ZIP_DEFLATED))),
    damaged(zip_of({"manifest.csv": SOUND_MANIFEST, "a.wav": b"x" * 50})),
    st.binary(max_size=200),
)


@contextlib.contextmanager
def alone() -> Iterator[Path]:
    """A folder in a folder: whatever is written beside the inner one is found; and a clock."""
    started = time.process_time()
    with tempfile.TemporaryDirectory() as outer:
        inner = Path(outer) / "inner"
        inner.mkdir()
        yield inner
        assert [path.name for path in Path(outer).iterdir()] == ["inner"]
    assert time.process_time() - started < SECONDS


def check_faults(error: InvalidInput) -> None:
    """Check that an error says what is wrong, in few words."""
    assert error.faults
    assert len(str(error)) < 20_000
    assert all(fault.message and len(fault.message) < 6_000 for fault in error.faults)


def read_study_file(content: bytes) -> None:
    """Read a study file as `submit` does, and as a body of JSON."""
    with alone() as folder:
        path = folder / "study.yaml"
        path.write_bytes(content)
        with _checked():
            spec = read_posted_study(path)
            assert StudySpec.parse(spec.to_plain()) == spec
        with _checked():
            check_json(content)
        assert [found.name for found in folder.iterdir()] == ["study.yaml"]


def read_manifest(files: dict[str, bytes]) -> None:
    """Check a dataset as the service does. Its report lists the faults."""
    with alone() as folder:
        for name, content in files.items():
            (folder / name).write_bytes(content)
        for check in (check_tables, check_manifest):
            report = check(folder)
            assert report.fault_count >= len(report.faults)
            json.dumps(report.to_json())
        assert sorted(found.name for found in folder.iterdir()) == sorted(files)


def unpack(content: bytes) -> None:
    """Judge and unpack a zip as the service does; of one that is refused, nothing is left."""
    with alone() as folder:
        path = folder / "upload.zip"
        path.write_bytes(content)
        unpacked = folder / "files"
        with _checked():
            archive = inspect(path, LIMITS)
            extract(path, unpacked)
            found = {str(file.relative_to(unpacked)) for file in unpacked.rglob("*") if file.is_file()}
            assert found == set(archive.places.values())
        assert {found.name for found in folder.iterdir()} <= {"upload.zip", "files"}


@contextlib.contextmanager
def _checked() -> Iterator[None]:
    try:
        yield
    except InvalidInput as error:
        check_faults(error)
    except OSError:  # a name that this file system does not take; the service lists it as a fault of the dataset
        return


KINDS: dict[str, tuple[SearchStrategy[Any], Callable[[Any], None]]] = {
    "study files": (_STUDY_FILES, read_study_file),
    "manifests": (_MANIFESTS, read_manifest),
    "zips": (_ZIPS, unpack),
}


def throw(kind: str, examples: int) -> None:
    """Throw so many examples of a kind at what reads them."""
    inputs, read = KINDS[kind]
    slow = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]

    @settings(max_examples=examples, deadline=None, database=None, suppress_health_check=slow)
    @given(inputs)
    def one(example: Any) -> None:
        read(example)

    one()


def main() -> None:
    """Throw examples of all kinds, and say how long that took."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--examples", type=int, default=10_000)
    examples = parser.parse_args().examples
    for kind in KINDS:
        started = time.monotonic()
        throw(kind, examples)
        print(f"{kind}: {examples:,} examples, no fault found, {time.monotonic() - started:.0f} s")  # noqa: T201


if __name__ == "__main__":
    main()
