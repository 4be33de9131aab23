import pytest

from taskgraft.errors import InvalidInput
from taskgraft.search.evidence.verdict import explain, judge, percent_up, summarize, verified_for
from taskgraft.search.study.result import FinalVerdict, TaskResult


def task(name: str, lower: float, upper: float) -> TaskResult:
    return TaskResult(name, "accuracy", 0.9, 0.88, 300, None, False, (lower + upper) / 2, lower, upper)


CHANCE = TaskResult("age", "accuracy", 0.5, 0.2, 300, None, at_chance=True)


@pytest.mark.parametrize(
    ("bounds", "verdict"),
    [
        ([(-0.01, 0.02), (-0.02, 0.0)], FinalVerdict.VERIFIED),
        ([(-0.01, 0.02), (0.01, 0.0201)], FinalVerdict.NOT_REFUTED),
        ([(0.02, 0.5)], FinalVerdict.NOT_REFUTED),
        ([(-0.05, -0.01), (0.0201, 0.1)], FinalVerdict.REFUTED),
    ],
)
def test_the_bounds_of_all_tasks_decide(bounds: list[tuple[float, float]], verdict: FinalVerdict) -> None:
    tasks = [task(f"t{place}", *pair) for place, pair in enumerate(bounds)]
    assert judge(tasks, 0.02) is verdict
    assert judge([*tasks, CHANCE], 0.02) is verdict
    assert (explain(tasks, 0.02) is None) is (verdict is FinalVerdict.VERIFIED)


def test_the_smallest_threshold_is_just_large_enough() -> None:
    tasks = [task("a", 0.0, 0.031), task("b", -0.2, 0.012), CHANCE]
    smallest = verified_for(tasks)
    assert smallest == 0.031
    assert judge(tasks, smallest) is FinalVerdict.VERIFIED
    assert judge(tasks, smallest - 1e-9) is not FinalVerdict.VERIFIED
    assert verified_for([task("a", -0.3, -0.1)]) == 0.0
    assert verified_for([task("a", 0.3, 1.0)]) is None


def test_nothing_is_said_about_tasks_at_chance_alone() -> None:
    with pytest.raises(InvalidInput, match="a task above chance"):
        judge([CHANCE], 0.5)


def test_the_reason_has_the_figures_of_those_to_blame() -> None:
    tasks = [task("calm", -0.01, 0.01), task("word", 0.0, 0.04), CHANCE]
    assert explain(tasks, 0.02) == (
        "not refuted at 2.00 %: test cannot tell (word: accuracy 90.00 % alone, 88.00 % here, reduction 2.00 %, "
        "bounds 0.00 % to 4.00 %, 300 clips); verified for Q >= 4.00 %"
    )
    refuted = explain([task("word", 0.03, 1.0), *tasks], 0.02)
    assert refuted is not None
    assert refuted.startswith("refuted at 2.00 %: it loses more on test (word: ")
    assert "verified for" not in refuted


def test_a_bound_is_never_rounded_down() -> None:
    assert [percent_up(bound) for bound in (0.0201, 0.02010001, 0.02, -0.00005)] == [
        "2.01 %",
        "2.02 %",
        "2.00 %",
        "0.00 %",
    ]
    assert summarize(FinalVerdict.VERIFIED, 0.01, 0.015) == "verified: AR 1.00 % on test"


@pytest.mark.parametrize("bounds", [(None, None, None), (0.1, None, 0.2), (0.3, 0.1, 0.2)])
def test_a_result_that_contradicts_itself_is_refused(bounds: tuple[float | None, float | None, float | None]) -> None:
    with pytest.raises(InvalidInput):
        TaskResult("a", "accuracy", 0.9, 0.9, 10, None, False, *bounds)
    with pytest.raises(InvalidInput):
        TaskResult("a", "accuracy", 0.9, 0.9, 10, None, True, 0.0, 0.0, 0.0)
