"""Study files, and the small text files around them."""

from pathlib import Path
from typing import Any

from taskgraft.api.own_encoders import parse_study
from taskgraft.errors import InvalidInput, MalformedInput
from taskgraft.search.study.spec import StudySpec
from taskgraft.space import plain_yaml

_MAX_BYTES = 1 << 20


def read_text(path: Path, max_bytes: int = _MAX_BYTES) -> str:
    """Return the content of a small UTF-8 file.

    Raises:
        InvalidInput: it does not exist, is too large, or is not UTF-8.
    """
    try:
        with path.open("rb") as file:
            data = file.read(max_bytes + 1)
    except OSError as error:
        raise InvalidInput.at(str(path), f"can't be read: {error.strerror}") from error
    if len(data) > max_bytes:
        raise InvalidInput.at(str(path), f"has at most {max_bytes:,} bytes; this one has more")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise MalformedInput.at(f"{path}:{line}", f"is UTF-8; got the byte {data[error.start]:#04x}") from error


def read_mapping(path: Path) -> dict[str, Any]:
    """Read a YAML or JSON file that holds keys and values.

    Raises:
        InvalidInput: as `read_text`.
        MalformedInput: as `taskgraft.space.plain_yaml.load`, with the line where reading failed.
    """
    value = plain_yaml.load(read_text(path), str(path))
    if not isinstance(value, dict):
        raise MalformedInput.at(str(path), f"holds keys and values at its top; got {type(value).__name__}")
    return value


def read_study(path: Path) -> StudySpec:
    """Read a study file; an encoder of the user's own is imported, also from the file's folder.

    Raises:
        InvalidInput: with every fault at once.
    """
    return parse_study(read_mapping(path), path.parent)


def read_posted_study(path: Path) -> StudySpec:
    """Read a study file that goes to a service: nothing that it names is imported.

    Raises:
        InvalidInput: with every fault at once.
    """
    return StudySpec.parse(read_mapping(path))
