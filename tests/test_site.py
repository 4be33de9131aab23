"""The pages of the site: every command on them is known, and every command of `taskgraft` is one.

`make docs` builds the site strictly, so that is not done here.
"""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from taskgraft.api.cli.main import app

ROOT = Path(__file__).parents[1]
PAGES = sorted(path for path in (ROOT / "docs").rglob("*.md"))
BLOCK = re.compile(r"^```(?:sh|bash|shell|console)\n(.*?)^```$", re.MULTILINE | re.DOTALL)

RUN_BY = {
    "tutorial.md": ("test_tutorial.py",),
    "extending.md": ("test_extending.py",),
    "tasks.md": ("test_tasks_page.py", "api/cli/test_cli_datasets.py"),
    "comparison.md": ("api/cli/test_cli_compare.py",),
    "reuse.md": ("api/cli/test_cli_run.py",),
    "report.md": ("api/reports/test_report.py",),
    "security.md": ("api/cli/test_cli_tokens.py",),
    "templates.md": ("api/cli/test_cli_templates.py", "api/cli/test_cli_sizes.py"),
    "corpora.md": ("api/cli/test_cli_datasets.py",),
}
"""Pages whose commands are run by a test, with other names and figures if they are long."""

NOT_RUN = {
    "benchmarks.md": "20 minutes and more; what the programs do is tested in tests/benchmarks/",
    "demo.md": "five studies of minutes each: tests/api/cli/test_cli_demo.py runs a short one",
    "recorded.md": "a study of 12 minutes and more, on recordings that are not part of the repository",
    "deployment.md": "needs PostgreSQL, a cluster and Docker: tests/service/ starts the same roles as processes",
    "integrations.md": "both run until they are stopped; tests/contracts/test_store_dashboard.py starts the first one, "
    "tests/search/running/test_tracking.py what the second one starts",
}
"""Pages whose commands the suite does not run as they stand, with the reason."""


def commands(page: Path) -> Iterator[str]:
    """Yield the lines of the page's shell blocks, those that go on with a backslash as one, without comments."""
    for block in BLOCK.findall(page.read_text("utf-8")):
        for line in block.replace("\\\n", " ").splitlines():
            if words := re.sub(r"(^|\s)#.*", "", line).strip():
                yield words


def of_taskgraft() -> list[tuple[str, str]]:
    found = [(str(page.relative_to(ROOT)), line) for page in [*PAGES, ROOT / "README.md"] for line in commands(page)]
    return [(page, line) for page, line in found if re.match(r"([A-Z_]+=\S+ )*taskgraft ", line)]


def test_every_page_with_commands_says_who_runs_them() -> None:
    having = {str(page.relative_to(ROOT / "docs")) for page in PAGES if list(commands(page))}
    assert having == RUN_BY.keys() | NOT_RUN.keys()
    assert not RUN_BY.keys() & NOT_RUN.keys()


@pytest.mark.parametrize("page", RUN_BY)
def test_the_test_that_runs_them_is_there_and_calls_them(page: str) -> None:
    tests = "".join((ROOT / "tests" / name).read_text("utf-8") for name in RUN_BY[page])
    if page == "tutorial.md":  # runs whole blocks
        return
    called = {shlex.split(line)[1] for line in commands(ROOT / "docs" / page) if line.startswith("taskgraft ")}
    assert called
    assert {name for name in called if f'"{name}"' not in tests} == set()


@pytest.mark.parametrize(("page", "line"), of_taskgraft(), ids=lambda text: text[:60])
def test_a_command_is_read_as_it_stands(page: str, line: str) -> None:
    """The parser knows the command and all of its options; nothing is run."""
    words = [word for word in shlex.split(line.removesuffix("&")) if word != "..."]
    words = words[next(place for place, word in enumerate(words) if word == "taskgraft") + 1 :]
    command: Any = typer.main.get_command(app)
    while hasattr(command, "commands"):
        name = words.pop(0)
        assert name in command.commands, f"{page}: there is no command {name}"
        command = command.commands[name]
    command.make_context(command.name, words)
