"""`docs/tutorial.md`: its files and its commands, one after the other, as a reader would type them."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.api.cli.commands import PROGRAM, write

PAGE = (Path(__file__).parents[1] / "docs" / "tutorial.md").read_text("utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """A shell that finds `taskgraft` and `python`; a study takes one core here."""
    for name, program in (("taskgraft", PROGRAM), ("python", [sys.executable])):
        write(tmp_path / "bin" / name, f'#!/bin/sh\nexec {" ".join(program)} "$@"\n').chmod(0o755)
    return os.environ | {"PATH": f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}", "TASKGRAFT_CORES": "1"}


@pytest.mark.slow(seconds=20)
def test_the_tutorial_ends_with_a_model(tmp_path: Path, environment: dict[str, str]) -> None:
    (program,), (study,) = blocks("python"), blocks("yaml")
    assert "`make_machine.py`" in PAGE
    assert "`machine.yaml`" in PAGE
    write(tmp_path / "make_machine.py", program)
    write(tmp_path / "machine.yaml", study)
    said = ""
    for block in blocks("sh"):
        shell = ["bash", "-euo", "pipefail", "-c", block]
        ended = subprocess.run(shell, check=False, cwd=tmp_path, env=environment, capture_output=True, text=True)
        assert ended.returncode == 0, f"{block}\n{ended.stdout}\n{ended.stderr}"
        said += ended.stdout
    for shown in (
        "240 clips, 120.0 s of audio",
        "│ fast  │ 72    │ 24         │ 24   │",
        "no faults",
        "speed, bearing",
    ):
        assert shown in PAGE
        assert shown in said
    assert "verdict" in said
    assert re.search(r"machine/7.wav\n  speed: fast \(\d+\.\d\d %\)\n  bearing: worn \(\d+\.\d\d %\)", said)
