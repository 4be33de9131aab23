"""Ways to run a command: in this process where that is the same, as a process of its own where it is not."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import chdir
from pathlib import Path
from typing import Any, NamedTuple

from typer.testing import CliRunner

from taskgraft.api.cli.main import app
from taskgraft.search.store import Store, sqlite_url
from taskgraft.search.study.trial import Trial

PROGRAM = [sys.executable, "-m", "taskgraft"]
ONE_CORE = ("--cores", "1")
"""For studies whose speed does not matter: each further worker takes seconds of both cores to start."""
_HEAVY = ("torch", "torchaudio", "ray", "optuna")
LIST_HEAVY_MODULES = f"""
import sys
from taskgraft.api.cli import main
try:
    main()
except SystemExit as end:
    code = end.code
print(code, *(name for name in {_HEAVY!r} if name in sys.modules), file=sys.stderr)
"""
"""A program that is `taskgraft` and says last, on standard error, its exit code and what it imported."""


class Said(NamedTuple):
    """What a command ended with."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        """Standard output, which is one JSON document and nothing else."""
        return json.loads(self.out)


def taskgraft(*arguments: str | Path) -> Said:
    """A command in this process."""
    result = CliRunner().invoke(app, [*map(str, arguments)])
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return Said(result.exit_code, result.stdout, result.stderr)


def taskgraft_in(folder: Path, *arguments: str | Path) -> Said:
    """A command in this process, as from a shell in ``folder``: what trains is imported, and exports are warm."""
    with chdir(folder):
        return taskgraft(*arguments)


def process(*arguments: str | Path, cwd: Path, **environment: str) -> Said:
    """A command as a process of its own."""
    ended = subprocess.run(
        [*PROGRAM, *map(str, arguments)],
        check=False,
        cwd=cwd,
        env=os.environ | environment,
        capture_output=True,
        text=True,
    )
    return Said(ended.returncode, ended.stdout, ended.stderr)


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def trials_of(store: Store) -> list[Trial]:
    """What all studies of a store have on record."""
    return [trial for study in store.list_studies().items for trial in store.ledger(study.id).trials()]


def wait_for_trials(
    database: Path, running: "subprocess.Popen[str]", enough: Callable[[Sequence[Trial]], bool]
) -> None:
    """Wait until the record of a program that runs a study is as asked for. The program must not end before."""

    def wait(condition: Callable[[], bool]) -> None:
        while not condition():
            assert running.poll() is None, "ended too early"
            time.sleep(0.1)

    wait(database.is_file)
    with Store(sqlite_url(database)) as store:  # opened once, since that takes much longer than to read
        wait(lambda: enough(trials_of(store)))
