"""Replay of published tables: the file form, what is counted, and that known answers are found."""

import json
from itertools import combinations
from pathlib import Path

import pytest
from benchmarks.replay import main, read_tables

HEADER = "table,group,task,reduction_validation,reduction_test\n"


def table(path: Path, bad: set[str], names: str = "abcd", name: str = "made-up") -> Path:
    """Write a table in which every group that holds two of ``bad`` breaks the threshold for those."""
    rows = []
    for size in range(1, len(names) + 1):
        for group in combinations(names, size):
            for task in group:
                lost = 0.12 if task in bad and len(bad & set(group)) > 1 else -0.01
                rows.append(f"{name},{'+'.join(group)},{task},{lost if size > 1 else 0},0\n")
    path.write_text(HEADER + "".join(rows))
    return path


def test_every_strategy_finds_the_fewest_networks_of_an_easy_table(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(table(tmp_path / "t.csv", {"a", "b"})), "--json", "--orders", "2"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert set(found) == {"exhaustive", "groups", "trees"}
    assert all(set(figures) == {"trainings", "networks", "fewest_found"} for figures in found.values())
    assert all((figures["networks"], figures["fewest_found"]) == (2, 1) for figures in found.values())
    assert found["exhaustive"]["trainings"] >= 6 > found["trees"]["trainings"]


def test_sizes_and_names_are_those_of_the_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = table(tmp_path / "t.csv", set(), "xyz", "one task, or three")
    path.write_text(path.read_text().replace("one task, or three", "other"))
    assert [found.tasks for found in read_tables(path)] == [("x", "y", "z")]
    assert main([str(path), "--orders", "1"]) == 0
    assert "| `trees` | 1.0 | 1.00 | 100% |" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("table,group\n", ["line 1", "missing task"]),
        (HEADER, ["line 2", "none"]),
        (HEADER + "t,a,a,0,0\nt,b,b,x,0\n", ["line 3", "is a number", "'x'"]),
        (HEADER + "t,a+b,c,0,0\n", ["line 2", "one of its group", "'c'"]),
        (HEADER + "t,a+a,a,0,0\n", ["line 2", "different tasks"]),
        (HEADER + "t,a,a,0,0\nt,a,a,0,0\n", ["line 3", "another one"]),
        (HEADER + "t,a+b,a,0,0\n", ["table t", "no figure for b of group a+b"]),
    ],
)
def test_a_bad_table_is_refused_with_its_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str, words: list[str]
) -> None:
    path = tmp_path / "t.csv"
    path.write_text(text)
    assert main([str(path)]) == 2
    told = capsys.readouterr().err
    assert all(word in told for word in words), told


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    assert main([str(tmp_path / "none.csv")]) == 2
