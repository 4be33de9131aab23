"""What programs log: lines of text, or JSON lines that have the study, the training and the runner as fields."""

import json
import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from types import MappingProxyType

from taskgraft.errors import InvalidInput

TEXT, JSON = "text", "json"
FORMATS = (TEXT, JSON)
_TEXT_LINE = "%(asctime)s %(levelname)s %(name)s: %(message)s"
_CHATTY = ("alembic", "onnx_ir", "onnxscript", "httpx")
_FIELDS = "taskgraft_fields"

_fields: ContextVar[Mapping[str, str]] = ContextVar("fields", default=MappingProxyType({}))


def check_format(where: str, given: str) -> str:
    """Return the form of the lines.

    Raises:
        InvalidInput: at ``where``: there is no such form.
    """
    if given not in FORMATS:
        raise InvalidInput.at(where, f"lines are logged as {' or '.join(FORMATS)}; got {given!r:.80}")
    return given


def set_up_logs(form: str = TEXT) -> None:
    """Log to standard error from now on, unless this process logs already."""
    handler = logging.StreamHandler()
    handler.addFilter(_add_fields)
    handler.setFormatter(JsonLines() if form == JSON else logging.Formatter(_TEXT_LINE))
    logging.basicConfig(level=logging.INFO, handlers=[handler])
    for name in _CHATTY:
        logging.getLogger(name).setLevel(logging.WARNING)


@contextmanager
def logging_as(**fields: str) -> Iterator[None]:
    """Give every line that this block logs these fields: ``study``, ``trial``, ``owner``, ``dataset``.

    The fields of blocks around it stay. Threads that are started in the block have none.
    """
    token = _fields.set({**_fields.get(), **fields})
    try:
        yield
    finally:
        _fields.reset(token)


def log_request_as(**fields: str) -> None:
    """Give every further line of this task these fields. A request is a task of its own."""
    _fields.set({**_fields.get(), **fields})


def _add_fields(record: logging.LogRecord) -> bool:
    setattr(record, _FIELDS, _fields.get())
    return True


class JsonLines(logging.Formatter):
    """One JSON document a line: ``time``, ``level``, ``logger``, ``message``, the fields, and ``exception``."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        said: dict[str, str] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
            **getattr(record, _FIELDS, {}),
        }
        if record.exc_info:
            said["exception"] = self.formatException(record.exc_info)
        return json.dumps(said)
