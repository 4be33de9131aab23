"""Programs that run beside a test, and end with it."""

import json
import os
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType

PATIENCE = 60


@contextmanager
def running(
    command: Sequence[str],
    log: Path,
    expect: Sequence[int] = (0,),
    environment: Mapping[str, str] = MappingProxyType({}),
    *,
    may_end: bool = False,
) -> Iterator["subprocess.Popen[str]"]:
    """A program that is still there when the block ends, and then ends in order; what it logs stands in ``log``.

    One that ``may_end`` is only ended.
    """
    with (
        log.open("w") as file,
        subprocess.Popen(
            command, env={**os.environ, **environment}, stdout=subprocess.PIPE, stderr=file, text=True
        ) as program,
    ):
        try:
            yield program
            assert may_end or program.poll() is None, log.read_text()
            program.terminate()
            assert program.wait(PATIENCE) in expect or may_end, log.read_text()
        finally:
            program.kill()


def read_json(program: "subprocess.Popen[str]") -> dict[str, str]:
    """The JSON document that a program starts with."""
    document = ""
    for line in program.stdout or ():
        document += line
        if line.startswith("}"):
            break
    said: dict[str, str] = json.loads(document)
    return said
