"""The program as a whole: its commands, its start, its pipes."""

import re
import socket
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from taskgraft.api.cli.main import app
from tests.api.cli.commands import LIST_HEAVY_MODULES, PROGRAM, process, taskgraft, write
from tests.evaluators.datasets.corpora import sound_corpus
from tests.space import paper

COMMANDS = (
    *("demo", "serve", "runner", "run", "plan", "compare"),
    *("submit", "status", "watch"),
    *("pause", "resume", "cancel", "delete", "matrix", "tree", "download", "report"),
    *("backup", "restore"),
    *("synthesize", "size", "templates", "predict", "datasets", "token"),
)


def test_help_shows_every_command() -> None:
    said = taskgraft("--help")
    assert said.code == 0
    assert tuple(re.findall(r"^  (\w+) ", said.out, re.MULTILINE)) == COMMANDS


def test_every_command_has_json() -> None:
    groups: dict[tuple[str, ...], Any] = {(): app}
    groups |= {(str(group.name),): group.typer_instance for group in app.registered_groups}
    paths = [
        (*group, command.name or command.callback.__name__)
        for group, commands in groups.items()
        for command in (commands.registered_commands if commands else ())
        if command.callback
    ]
    assert {("datasets", "add"), ("token", "create")} <= set(paths)
    for path in paths:
        said = taskgraft(*path, "--help")
        assert said.code == 0, path
        assert "--json" in said.out, path


def test_the_version_is_the_installed_one() -> None:
    said = taskgraft("--version")
    assert said.code == 0
    assert re.fullmatch(r"taskgraft \d+\.\d+\.\d+\n", said.out)


def test_nothing_to_do_shows_what_there_is_to_do() -> None:
    said = taskgraft()
    assert said.code == 2
    assert "synthesize" in said.out + said.err


@pytest.mark.parametrize("arguments", [["paint"], ["run"], ["synthesize", "pairs.csv"], ["serve", "--port", "high"]])
def test_a_wrong_command_line_is_bad_input(arguments: Sequence[str]) -> None:
    said = taskgraft(*arguments)
    assert said.code == 2
    assert "Usage:" in said.err
    assert said.out == ""


def test_light_commands_start_without_torch_ray_or_a_database(tmp_path: Path) -> None:
    pairs = write(tmp_path / "pairs.csv", paper.PAIRS_CSV)
    tasks = write(tmp_path / "tasks.yaml", "tasks: [{name: GC}, {name: AC, classes: 3}]")
    commands = [
        ["--help"],
        ["synthesize", str(pairs), "--threshold", "0.02"],
        ["size", str(tasks)],
        ["datasets", "check", str(sound_corpus(tmp_path / "corpus"))],
    ]
    for command in commands:
        listing = [sys.executable, "-c", LIST_HEAVY_MODULES, *command]
        ended = subprocess.run(listing, check=False, capture_output=True, text=True)
        assert ended.stderr.splitlines()[-1:] == ["0"], command


def test_a_reader_that_goes_away_is_no_error(tmp_path: Path) -> None:
    pairs = write(tmp_path / "pairs.csv", paper.PAIRS_CSV)
    command = [*PROGRAM, "synthesize", str(pairs), "--threshold", "0.02", "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as running:
        assert running.stdout
        assert running.stderr
        running.stdout.close()
        assert running.stderr.read() == b""
    assert running.returncode == 0


def test_a_file_whose_name_is_no_text_can_be_told(tmp_path: Path) -> None:
    said = process("size", tmp_path / "gr\udcfcn.yaml", "--json", cwd=tmp_path)
    assert said.code == 2
    assert said.document["errors"][0]["field"].endswith("gr\udcfcn.yaml")
    assert "No such file" in said.err


def test_a_port_in_use_is_trouble_outside(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        said = process("serve", "--port", port, "--json", cwd=tmp_path, TASKGRAFT_DATA_DIR="the data")
    assert said.code == 1
    assert f"port {port} of 127.0.0.1 is taken" in said.err
    assert [error["message"] for error in said.document["errors"]] == [said.err.removeprefix("error: ").strip()]


def test_settings_that_break_a_rule_are_bad_input(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    said = taskgraft("serve", "--port", "65536", "--host", "")
    assert said.code == 2
    assert said.err.splitlines() == [
        "error: port: a port lies within 0..65535; got 65536",
        "error: host: is required; got ''",
    ]
    assert list(tmp_path.iterdir()) == []


def test_a_host_that_is_allowed_is_a_name(tmp_path: Path) -> None:
    said = taskgraft("serve", "--allowed-host", "a.example", "--allowed-host", "http://b", "--data-dir", tmp_path)
    assert said.code == 2
    assert said.err.startswith("error: allowed_hosts: a host is a name or an address")
    assert "got 'http://b'" in said.err


def test_a_runner_without_its_database_is_trouble_outside(tmp_path: Path) -> None:
    said = taskgraft("runner", "--data-dir", tmp_path / "away", "--json")
    assert said.code == 1
    assert "there is no folder" in said.document["errors"][0]["message"]
