"""Replay of published tables: the file form, what is counted, and that known answers are found."""

import json
from itertools import combinations
from pathlib import Path

import pytest
from benchmarks.replay import main, read_tables

from taskgraft.search.study.spec import Strategy

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
    assert "| `trees` | 1.00 | 1.00 | 100% |" in capsys.readouterr().out


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


PAIRS = "table,task_a,task_b,depth,reduction_a,reduction_b\n"


def pairs(path: Path, keeps: set[int], depths: int = 5) -> Path:
    rows = (f"t,a,b,{depth},-0.01,{0.0 if depth in keeps else 0.2}\n" for depth in range(1, depths + 1))
    path.write_text(PAIRS + "".join(rows))
    return path


@pytest.mark.parametrize(("keeps", "deepest"), [({1, 2, 3}, 3), ({1, 2, 3, 4, 5}, 5), (set(), 0), ({4}, 4)])
def test_pairs_by_depth_are_asked_down_to_the_deepest(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], keeps: set[int], deepest: int
) -> None:
    assert main([str(pairs(tmp_path / "p.csv", keeps)), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert set(found) == set(Strategy)
    assert (found["exhaustive"]["trainings"], found["exhaustive"]["depth"]) == (5, deepest)
    assert (found["adaptive"]["trainings"], found["adaptive"]["deepest_found"]) == (min(5, 6 - deepest), 1)
    assert found["bisection"]["trainings"] <= 4
    if keeps != {4}:
        assert all(figures["deepest_found"] == 1 for figures in found.values())


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (PAIRS, ["line 2", "none"]),
        (PAIRS + "t,a,b,9,0,0\n", ["line 2", "from 1 to 8", "'9'"]),
        (PAIRS + "t,a,b,1.5,0,0\n", ["line 2", "a whole number", "'1.5'"]),
        (PAIRS + "t,a,a,1,0,0\n", ["line 2", "two tasks"]),
        (PAIRS + "t,a,b,1,0,nan\n", ["line 2", "reduction_b is a number", "'nan'"]),
        (PAIRS + "t,a,b,1,0,0\nt,a,b,1,0,0\n", ["line 3", "another one"]),
        (PAIRS.replace("depth", "blocks") + "t,a,b,1,0,0\n", ["line 1", "missing group"]),
    ],
)
def test_a_bad_table_of_pairs_is_refused_with_its_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str, words: list[str]
) -> None:
    path = tmp_path / "p.csv"
    path.write_text(text)
    assert main([str(path)]) == 2
    said = capsys.readouterr().err
    assert all(word in said for word in words), said
