"""What programs log, and the fields of each line."""

import io
import json
import logging
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from taskgraft import logs
from taskgraft.errors import InvalidInput, TaskgraftError
from taskgraft.logs import JSON, TEXT, check_format, logging_as


@pytest.fixture
def lines() -> Iterator[io.StringIO]:
    """What the logger "house" logs as JSON."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.addFilter(logs._add_fields)
    handler.setFormatter(logs.JsonLines())
    logger = logging.getLogger("house")
    logger.addHandler(handler)
    try:
        yield stream
    finally:
        logger.removeHandler(handler)


def documents(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_blocks_add_fields_and_take_them_back(lines: io.StringIO) -> None:
    log = logging.getLogger("house")
    with logging_as(owner="runner"):
        with logging_as(study="s1", trial="[]"):
            log.warning("it is %s", "late")
        log.warning("done")
    log.warning("over")
    inside, outside, after = documents(lines)
    assert {key: inside[key] for key in ("level", "logger", "message", "owner", "study", "trial")} == {
        "level": "WARNING",
        "logger": "house",
        "message": "it is late",
        "owner": "runner",
        "study": "s1",
        "trial": "[]",
    }
    assert inside["time"].endswith("+00:00")
    assert outside.keys() - inside.keys() == set()
    assert (outside["owner"], "study" in outside, "owner" in after) == ("runner", False, False)


def test_a_line_stays_one_line_whatever_it_quotes() -> None:
    try:
        raise TaskgraftError("two\nlines \udc80")
    except TaskgraftError:
        # Not logged: pytest would keep it, and pytest-xdist can't send half a surrogate pair.
        record = logging.LogRecord("house", logging.ERROR, "", 0, "a\nb", None, sys.exc_info())
    logs._add_fields(record)
    (line,) = logs.JsonLines().format(record).splitlines()
    document = json.loads(line)
    assert document["message"] == "a\nb"
    assert "TaskgraftError: two\nlines" in document["exception"]


@pytest.mark.parametrize("form", [TEXT, JSON])
def test_a_process_logs_in_its_form(form: str, tmp_path: Path) -> None:
    code = (
        "import logging, sys\nfrom taskgraft.logs import logging_as, set_up_logs\nset_up_logs(sys.argv[1])\n"
        "with logging_as(study='s1'):\n    logging.getLogger('house').info('starts')\n"
    )
    said = subprocess.run([sys.executable, "-c", code, form], check=True, capture_output=True, text=True).stderr
    assert "starts" in said
    assert (json.loads(said)["study"] == "s1") if form == JSON else said.endswith(" INFO house: starts\n")


def test_an_unknown_form_is_refused() -> None:
    assert check_format("log_format", "json") == "json"
    with pytest.raises(InvalidInput, match="log_format: lines are logged as text or json; got 'xml'"):
        check_format("log_format", "xml")
