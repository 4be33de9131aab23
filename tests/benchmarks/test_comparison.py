"""All programs on a study that takes no time, from the command to the line of JSON."""

import json
import subprocess
import sys
from itertools import combinations
from pathlib import Path

import pytest
from benchmarks.comparison import (
    KNOWN,
    OURS,
    PLAIN,
    REFERENCE,
    ROOT,
    SampledRow,
    StudyRows,
    SystemRow,
    compare,
    cpu_seconds_ratios,
    sample_plain,
)
from benchmarks.outcome import Outcome, PlainSample
from benchmarks.processes import Usage

from taskgraft.search.study.spec import StudySpec
from taskgraft.space.cost import tree_cost
from taskgraft.space.tasks import Task, TaskKind
from taskgraft.space.templates.registry import get_template
from taskgraft.space.tree import BranchTree
from tests.search.corpora import SHORT, beeps_spec, write_beeps


def beeps(root: Path) -> StudySpec:
    """Two tasks, two depths, short trainings."""
    body = beeps_spec(training=SHORT).to_plain()
    dataset = str(write_beeps(root / "beeps"))
    return StudySpec.parse({**body, "tasks": [{**task, "dataset": dataset} for task in body["tasks"][:2]]})


@pytest.mark.slow(90)
@pytest.mark.timeout(600)
def test_all_programs_end_with_rows_that_fit_together(tmp_path: Path) -> None:
    """All strategies go through the same program, so that one of them is enough; `KNOWN` runs `trees`."""
    spec = beeps(tmp_path)
    pairs = list(combinations(spec.task_names, 2))
    rows = compare(spec, tmp_path / "out", 1, {REFERENCE, OURS[0], KNOWN, PLAIN})
    systems = {name: row for name, row in rows.rows.items() if isinstance(row, SystemRow)}
    plain, bisection, known = (systems[name] for name in (PLAIN, OURS[0], KNOWN))
    sweep = len(spec.tasks) + len(pairs) * len(spec.depths)
    assert sweep <= plain.outcome.trials <= sweep + 1  # the tree, where it shares anything
    assert plain.outcome.steps == plain.outcome.trials * 3 * spec.training.epochs  # 36 clips, 12 a step
    assert plain.outcome.verified is None
    assert 1 <= known.outcome.trials <= len(pairs) * len(spec.depths)  # the baselines are taken over
    assert known.outcome.steps == known.outcome.trials * 3 * spec.training.epochs
    assert len(spec.tasks) <= bisection.outcome.trials <= sweep + 1  # a probe that is delivered is trained to its end
    assert isinstance(known.outcome.verified, bool)
    assert 0 < sum(known.to_json()["cpu_seconds_by_stage"].values()) <= known.usage.cpu_seconds
    for row in systems.values():
        assert list(row.outcome.depths) == pairs
        assert row.outcome.parameters == parameters(row.outcome, spec)
        assert row.agreement is not None
        assert row.agreement.equal == (row.agreement.depth_difference == 0)  # of a single pair
        assert row.usage.cpu_seconds > 1
        assert row.usage.peak_bytes > 100 * 2**20
    told = json.loads(json.dumps(rows.to_json()))
    assert list(told["cpu_seconds_ratio"]) == [OURS[0], KNOWN]
    for name, ratio in told["cpu_seconds_ratio"].items():
        assert told["cpu_seconds_ratio_interval"][name] == [ratio, ratio]
    assert told["plain"]["trials"] == plain.outcome.trials
    assert json.loads((tmp_path / "out" / "plain.json").read_text()) == told["plain"]
    before = Outcome.read(next((tmp_path / "out").glob("reference-*/outcome.json")))
    again = compare(spec, tmp_path / "out", 1, {REFERENCE})
    assert again.rows == {}
    assert cpu_seconds_ratios([again])["cpu_seconds_ratio"] == {}
    assert Outcome.read(next((tmp_path / "out").glob("reference-*/outcome.json"))) == before


def parameters(outcome: Outcome, spec: StudySpec) -> int | None:
    """Of the tree that the program named, from the specifications alone."""
    tree = BranchTree.from_json(dict(outcome.tree), 8)
    tasks = [Task(name, TaskKind.CLIP, 2) for name in spec.task_names]
    return tree_cost(tree, get_template("cnn8"), tasks).parameters


def row(cpu_seconds: float) -> SystemRow:
    outcome = Outcome(3, 9, {("a", "b"): 8}, {}, 100, 0.01, "verified")
    return SystemRow(outcome, Usage(cpu_seconds, 1.0, 1), None)


def test_the_ratio_is_of_the_sums_and_needs_both() -> None:
    bisection, groups, _ = OURS
    one = StudyRows({PLAIN: row(300.0), bisection: row(100.0), groups: row(30.0)})
    two = StudyRows({PLAIN: row(600.0), bisection: row(50.0)})
    alone = StudyRows({bisection: row(1000.0)})
    assert cpu_seconds_ratios([one, two, alone])["cpu_seconds_ratio"] == {bisection: 6, groups: 10}
    assert cpu_seconds_ratios([alone])["cpu_seconds_ratio"] == {}


def test_the_ratio_to_a_sample_has_an_interval() -> None:
    bisection = OURS[0]
    sampled = SampledRow(
        PlainSample({"baselines": ([10.0, 12.0], 5), "pairs": ([20.0, 22.0, 24.0], 50)}), Usage(100.0, 1, 1)
    )
    found = cpu_seconds_ratios([StudyRows({PLAIN: sampled, bisection: row(10.0)})])
    assert found["cpu_seconds_ratio"] == {bisection: (100 - 88 + 5 * 11 + 50 * 22) / 10}
    low, high = found["cpu_seconds_ratio_interval"][bisection]
    assert low < found["cpu_seconds_ratio"][bisection] < high


@pytest.mark.slow(25)
@pytest.mark.timeout(600)
def test_a_sample_of_the_plain_program_is_drawn_without_replacement(tmp_path: Path) -> None:
    sampled = sample_plain(beeps(tmp_path), tmp_path / "out", 4)
    costs = {name: len(costs) for name, (costs, _) in sampled.sample.strata.items()}
    assert costs == {"baselines": 2, "pairs-of-1": 2}
    assert sampled.sample.trials == 4
    assert sampled.cost.interval == (sampled.cost.value, sampled.cost.value), "all of them were sampled"
    assert sampled.cost.value == pytest.approx(sampled.usage.cpu_seconds)
    assert 4 < sampled.sample.cpu_seconds < sampled.usage.cpu_seconds


def test_an_outcome_is_read_as_it_was_written(tmp_path: Path) -> None:
    tree = BranchTree.flat("ab", 5, 8).to_json()
    outcome = Outcome(3, 9, {("a", "b"): 5}, tree, 100, 0.01, None, ((1.0, "pairs"), (2.0, "end")))
    outcome.write(tmp_path / "outcome.json")
    assert Outcome.read(tmp_path / "outcome.json") == outcome


@pytest.mark.slow
def test_the_command_ends_with_one_line_of_json() -> None:
    command = [
        sys.executable,
        "-m",
        "benchmarks",
        "--json",
        "--only",
        "synthesis",
        "--largest",
        "16",
        "--patience",
        "1",
    ]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True, timeout=200)
    told = json.loads(ended.stdout.splitlines()[-1])
    assert told["cpu_seconds_ratio"] == {}
    assert list(told["synthesis_seconds"]["planted"]) == ["4", "8", "16"]
    assert told["enumeration"]["4"]["trees"] == 1989
