"""The estimate: what a training of so much audio takes, within the budget. Properties hold its counts to studies."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from taskgraft.evaluators.datasets.check import check_manifest
from taskgraft.evaluators.datasets.registry import DEMO_CLIPS
from taskgraft.search.comparison.beginning import check_request
from taskgraft.search.comparison.plan import plan_comparison
from taskgraft.search.evidence.resolution import smallest_threshold
from taskgraft.search.strategies.plan import Plan, plan_study, plan_trials
from taskgraft.search.strategies.registry import strategy_of
from taskgraft.search.study.outline import StudyOutline, find_local_report, outline_study
from taskgraft.search.study.spec import Strategy, StudySpec
from taskgraft.space.tree import BranchTree
from tests.search.corpora import beeps_spec, write_beeps
from tests.search.worlds import make_spec


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("planned")
    write_beeps(folder / "beeps")
    write_beeps(folder / "more", 60, seed=1)
    return folder


def outline(spec: StudySpec, base: Path) -> StudyOutline:
    return outline_study(spec, lambda dataset: find_local_report(dataset, base, check_manifest))


def plan(folder: Path, workers: int = 1, **more: Any) -> Plan:
    spec = beeps_spec(**more)
    return plan_study(spec, outline(spec, folder), workers)


@pytest.mark.parametrize(
    ("fields", "least", "most"),
    [
        ({}, 6 + 15 + 1, 6 + 15 * 5 + 5 * 8 + 15),
        ({"strategy": "exhaustive"}, 6 + 15 * 5, 6 + 15 * 5 + 5 * 8),
        ({"repeats": 2}, 2 * 22, 2 * 121),
        ({"depths": [4]}, 6 + 15, 6 + 15 + 5 * 4 + 15),
        ({"strategy": "bisection"}, 6 + 15 + 1, 6 + 15 * 4 + 5 * 8 + 15),
        ({"strategy": "groups"}, 6 + 1, 6 + 5 * (15 + 5) + 5 * 8 + 15),
        ({"repeats": "auto"}, 2 * 6 + 15 + 1, 6 * 121),
        ({"budget": {"trials": 30}}, 22, 30),
        ({"budget": {"trials": 6}}, 6, 6),
        ({"confirm": 2}, 22 + 6, 136 + 2 * (6 + 3)),
        ({"depths": [4], "confirm": 2}, 6 + 15, 56 + 2 * (6 + 3)),
        ({"budget": {"trials": 30}, "confirm": 1}, 22 + 3, 30 + 9),
        ({"training": {"epochs": "auto"}}, 22 + 2 * 6, 136 + 8 * 6),
        ({"training": {"epochs": "auto"}, "repeats": 2}, 2 * 22 + 6, 2 * 121 + 8 * 6),
        ({"training": {"epochs": "auto"}, "budget": {"trials": 6}}, 6, 6),
    ],
)
def test_trainings_of_six_tasks(fields: dict[str, Any], least: int, most: int) -> None:
    assert plan_trials(make_spec(6, **fields)) == (least, most)


def test_a_plan_of_the_beeps(folder: Path) -> None:
    found = plan(folder)
    assert (found.trials_at_least, found.trials_at_most) == (3 + 3 + 1, 3 + 6 + 16 + 3)
    assert found.clips["pitch"] == {"train": 36, "validation": 12, "test": 12}
    assert found.fully_shared_parameters < found.independent_parameters
    assert found.to_json()["workers"] == found.workers == 1


def test_a_plan_counts_gates_and_warns_of_large_ones(folder: Path) -> None:
    attention = {"epochs": 2, "algorithm": "task-attention"}
    plain, gated = plan(folder, training={"epochs": 2}), plan(folder, training=attention)
    assert gated.fully_shared_parameters - plain.fully_shared_parameters == 84 * 100 + 3 * 16
    assert gated.independent_parameters - plain.independent_parameters == 3 * (84 * 100 + 16)
    assert gated.warnings == plain.warnings
    mobile = plan(folder, training=attention, template="cp-mobile", depths=[7])
    (warning,) = [one for one in mobile.warnings if "task attention" in one]
    assert "11,128,832 parameters" in warning


@pytest.mark.parametrize(
    ("strategy", "means"),
    [
        ("adaptive", {2: 4.0, 3: 9.9, 4: 16.3}),
        ("bisection", {2: 4.4, 3: 11.1, 4: 18.4, 5: 28.8, 8: 76.5}),
        ("groups", {2: 4.4, 3: 7.6, 4: 10.8, 5: 13.4, 8: 27.2, 12: 48.4, 20: 77.1}),
        ("trees", {2: 3.9, 3: 7.1, 4: 9.0, 5: 11.0, 8: 18.3, 12: 30.5, 20: 54.2}),
    ],
)
def test_the_likely_trainings_are_about_those_of_simulated_studies(strategy: str, means: dict[int, float]) -> None:
    """The means are those of docs/tree_search.md."""
    for tasks, trainings in means.items():
        spec = make_spec(tasks, strategy=strategy)
        assert tasks + strategy_of(spec).expected_questions(spec) == pytest.approx(trainings, rel=0.17)


def test_a_plan_does_not_take_all_that_may_be_asked_about_pairs_for_likely(folder: Path) -> None:
    """Of two depths, a pair takes 1.5 questions on average."""
    costs = {cost.strategy: cost for cost in plan(folder).strategies}
    adaptive, exhaustive = costs[Strategy.ADAPTIVE], costs[Strategy.EXHAUSTIVE]
    assert (adaptive.trials_likely, adaptive.trials_at_most) == (3 + 5 + 1, 28)
    assert exhaustive.trials_likely == 3 + 6 + 1
    assert adaptive.seconds_at_least <= adaptive.seconds_likely < adaptive.seconds_at_most


def test_a_plan_says_what_the_test_clips_can_decide(folder: Path) -> None:
    found = plan(folder, ar_threshold=0.05)
    assert [task.task for task in found.resolution] == ["pitch", "loud", "shape"]
    pitch = found.resolution[0]
    assert (pitch.test_clips, pitch.test_groups, pitch.measured) == (12, None, False)
    assert pitch.q_min == pytest.approx(smallest_threshold(12, 0.9, 0.0868, 3), rel=0.01)
    assert len(found.warnings) == 3
    assert f"about {pitch.clips_needed:,} clips would do" in found.warnings[0]
    assert found.to_json()["resolution"][0]["clips_needed"] == pitch.clips_needed
    assert plan(folder, ar_threshold=0.9).warnings == ()


def test_seconds_are_those_of_the_audio_that_is_trained_on(folder: Path) -> None:
    """36 clips of 0.3 s are 3 batches of 12; 900 s of audio a second and core, as measured."""
    found = plan(folder, training={"epochs": 10_000, "batch_size": 12})
    one = 10_000 * 36 * 0.3 / 900
    assert found.seconds_at_least == pytest.approx(7 * one, rel=0.02)
    assert found.seconds_at_most == pytest.approx(28 * one, rel=0.02)
    assert plan(folder, workers=4, training={"epochs": 10_000, "batch_size": 12}).seconds_at_least == pytest.approx(
        found.seconds_at_least / 4, rel=0.02
    )


def test_a_model_over_two_corpora_takes_twice_as_long(folder: Path) -> None:
    def two(second: str) -> Plan:
        tasks = [
            {"name": "one", "dataset": "beeps/manifest.csv", "target": "pitch"},
            {"name": "two", "dataset": second, "target": "pitch"},
        ]
        training = {"epochs": 10_000, "batch_size": 12}
        spec = StudySpec.parse({"ar_threshold": 0.1, "tasks": tasks, "training": training})
        return plan_study(spec, outline(spec, folder), 1)

    same, other = two("beeps/manifest.csv"), two("more/manifest.csv")
    assert other.seconds_at_least == pytest.approx(same.seconds_at_least * 4 / 3, rel=0.02)


def test_a_budget_caps_the_estimate(folder: Path) -> None:
    training = {"epochs": 10_000}
    free = plan(folder, training=training)
    assert plan(folder, training=training, budget={"seconds": 10}).seconds_at_most == 10
    capped = plan(folder, training=training, budget={"trials": 10})
    assert capped.seconds_at_most == pytest.approx(free.seconds_at_most * 10 / 28, rel=0.02)


def test_no_file_is_opened_to_plan_the_demo(tmp_path: Path) -> None:
    tasks = [
        {"name": "gender", "dataset": "demo-speech", "target": "gender"},
        {"name": "vad", "dataset": "demo-speech", "target": "speech", "kind": "frames"},
    ]
    spec = StudySpec.parse({"ar_threshold": 0.02, "tasks": tasks})
    found = plan_study(spec, outline(spec, tmp_path / "nowhere"), 2)
    assert found.clips["gender"] == found.clips["vad"]
    assert sum(found.clips["gender"].values()) == DEMO_CLIPS
    assert found.seconds_at_least > 0


def test_a_plan_whose_length_is_open_goes_from_the_first_to_the_last(folder: Path) -> None:
    """36 clips are 3 batches of 12: 160 epochs are the first that take 250 steps."""
    first, auto = (plan(folder, training={"epochs": epochs, "batch_size": 12}) for epochs in (160, "auto"))
    assert (first.epochs, auto.epochs) == ((160,), (160, 320, 640, 1280, 2560))
    one = 160 * 36 * 0.3 / 900
    rest = first.trials_at_least - 3, first.trials_at_most - 3
    assert auto.seconds_at_least == pytest.approx((rest[0] + 3 * (1 + 2 + 1)) * one, rel=0.05)
    assert auto.seconds_at_most == pytest.approx((16 * rest[1] + 3 * (31 + 15)) * one, rel=0.05)


@pytest.mark.parametrize("name", ["freeze", "serial"])
def test_algorithms_with_phases_take_their_steps_once_for_each_task(folder: Path, name: str) -> None:
    training = {"epochs": 10_000, "batch_size": 12}
    phases = training | {"algorithm": {"name": name, "order": ["pitch", "loud", "shape"]}}
    plain, found = (plan(folder, training=one, strategy="exhaustive") for one in (training, phases))
    assert (plain.trials_at_least, found.trials_at_least) == (3 + 3 * 2, 3 + 3 * 2)
    assert found.seconds_at_least == pytest.approx(plain.seconds_at_least * (3 + 6 * 2) / (3 + 6), rel=0.02)
    trees = found.trials_at_most - 9
    assert found.seconds_at_most == pytest.approx(
        plain.seconds_at_most * (3 + 6 * 2 + trees * 3) / (9 + trees), rel=0.02
    )
    confirmed = plan(folder, training=phases, strategy="exhaustive", confirm=2)
    one = found.seconds_at_least / (3 + 6 * 2)
    assert confirmed.seconds_at_most - found.seconds_at_most == pytest.approx(2 * 2 * 3 * one, rel=0.02)


def test_a_comparison_counts_phases_and_trunks_of_its_rows(folder: Path) -> None:
    def seconds(words: list[str], **more: Any) -> tuple[int, float]:
        spec = beeps_spec(training={"epochs": 10_000, "batch_size": 12, **more})
        comparison = replace(check_request(spec, words), tree=BranchTree.flat(spec.task_names, 8, 8))
        found = plan_comparison(outline(spec, folder), comparison, workers=1)
        return found.trainings_at_least, found.cpu_seconds_at_least

    baselines = seconds(["independent"])
    assert seconds(["independent", "hard"]) == pytest.approx((3 + 1, baselines[1] * 4 / 3), rel=0.02)
    assert seconds(["freeze-loud"]) == pytest.approx((3 + 1, baselines[1] * 6 / 3), rel=0.02)
    assert seconds(["soft", "sum"]) == pytest.approx((3 + 1, baselines[1] * 4 / 3), rel=0.02)
    assert seconds(["hard", "dwa"], start="trunk")[0] == 1 + 3 + 2 * 2
