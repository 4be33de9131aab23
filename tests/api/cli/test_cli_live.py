"""Progress, on a terminal and without one."""

import io
import re
import sys
from typing import Any

import pytest
from rich.console import Console

from taskgraft.api.cli import live
from taskgraft.api.cli.live import LiveStudy, counting, follow


def study(state: str, done: int, **changes: Any) -> dict[str, Any]:
    progress = {"trials_done": done, "trials_planned": 4, "fraction": done / 4, "trials_at_most": 4 + 2 * (4 - done)}
    progress |= {"eta_seconds": 100.0 - 20 * done, "eta_seconds_at_most": 340.0 - 60 * done}
    return {"state": state, "stage": "pairs", "progress": progress, "running": [], **changes}


TRAINING = {"tasks": ["a", "b"], "shared": 8, "repeat": 1, "fraction": 0.5, "seconds": 12.3, "worker": "here"}


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> io.StringIO:
    """What a person sees on standard error."""
    screen = io.StringIO()
    monkeypatch.setattr(live, "errors", Console(file=screen, force_terminal=True, color_system=None, width=120))
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    return screen


def test_without_a_terminal_each_thing_is_said_once(capsys: pytest.CaptureFixture[str]) -> None:
    last = follow([study("queued", 0), study("running", 1), study("running", 1), study("succeeded", 4)])
    assert last["state"] == "succeeded"
    assert capsys.readouterr().err.splitlines() == [
        "queued pairs: 0 of 4 to 12 trainings, 2 to 6 min left",
        "running pairs: 1 of 4 to 10 trainings, 1 to 5 min left",
        "succeeded pairs: 4 of 4 trainings, 1 to 2 min left",
    ]


def test_a_service_that_knows_no_range_gives_one_figure(capsys: pytest.CaptureFixture[str]) -> None:
    old = study("running", 1)
    old["progress"] = {"trials_done": 1, "trials_planned": 4, "fraction": 0.25, "eta_seconds": 95.0}
    follow([old])
    assert capsys.readouterr().err == "running pairs: 1 of 4 trainings, about 2 min left\n"


def test_a_terminal_has_a_bar_per_training(terminal: io.StringIO) -> None:
    follow([study("queued", 0), study("running", 1, running=[TRAINING])])
    (bar,) = re.findall(r"\n(.*12 s)", terminal.getvalue())
    assert "a + b, 8 blocks shared #1" in bar
    assert " 50 %" in bar


def test_the_bar_of_a_trunk_says_so(terminal: io.StringIO) -> None:
    follow([study("queued", 0), study("running", 0, running=[TRAINING | {"trunk": True}])])
    assert "trunk: a + b, 8 blocks shared #1" in terminal.getvalue()


def test_trainings_of_one_tree_by_other_recipes_have_bars_of_their_own(terminal: io.StringIO) -> None:
    freeze = {"recipe": '{"algorithm":{"name":"freeze","order":["b","a"]}}'}
    follow([study("queued", 0), study("running", 0, running=[TRAINING, TRAINING | freeze | {"fraction": 0.25}])])
    first, second = re.findall(r"\n(.*12 s)", terminal.getvalue())[-2:]
    assert "50 %" in first
    assert "a + b, 8 blocks shared #1, algorithm freeze (order b, a)" in second
    assert "25 %" in second


def test_the_bar_of_a_training_that_ended_is_gone(terminal: io.StringIO) -> None:
    follow([study("running", 1, running=[TRAINING]), study("running", 2)])
    last = terminal.getvalue().rpartition("running  pairs")[2]
    assert "2 of 4 to 8 trainings" in last
    assert "a + b" not in last


def test_a_count_without_a_terminal_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    with counting("reading", "clips") as progress:
        progress(1, 2_000)
        progress(2, 2_000)
    assert capsys.readouterr().err == "reading: 2,000 clips\n"


def test_a_count_that_never_starts_says_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    with counting("reading", "clips"):
        pass
    assert capsys.readouterr().err == ""


def test_a_count_on_a_terminal_is_a_bar(terminal: io.StringIO) -> None:
    with counting("reading", "clips") as progress:
        progress(1_999, 2_000)
    assert "1999/2000 clips" in terminal.getvalue()


def test_bars_leave_the_streams_of_the_process_alone(terminal: io.StringIO) -> None:
    """`taskgraft run --json > file` at a terminal wrote its document to standard error."""
    before = sys.stdout, sys.stderr
    with LiveStudy() as bars:
        bars.show(study("running", 1))
        assert (sys.stdout, sys.stderr) == before
