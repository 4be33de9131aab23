from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from taskgraft.errors import TrainingFailed
from taskgraft.evaluators.measurement import Outcomes, Table
from taskgraft.evaluators.outcomes import VALUES
from taskgraft.search.evidence.evidence import Evidence
from taskgraft.search.evidence.reading import Reading
from taskgraft.search.evidence.verdict import judge
from taskgraft.search.running.final import check_above_chance
from taskgraft.search.statistics.repeats import Repeats
from taskgraft.search.statistics.seed_noise import SeedNoise
from taskgraft.search.study.result import FinalVerdict
from taskgraft.search.study.trial import Training
from taskgraft.space.tree import BranchTree
from tests.search.worlds import finished, make_spec, measurement, outcomes

CLIPS = 400


def reading(baselines: Sequence[float], model: Sequence[float], **more: Any) -> Reading:
    names = "abc"[: len(model)]
    said: dict[str, dict[str, list[Outcomes]]] = {
        side: {name: [outcomes(value, CLIPS)] for name, value in zip(names, values, strict=True)}
        for side, values in (("baselines", baselines), ("model", model))
    }
    known = {"groups": {"speech": None}, "alone": frozenset(), "at_chance": frozenset(), **said, **more}
    return Reading(make_spec(len(model)), **known)


def test_every_task_has_its_figures() -> None:
    found = reading([0.8, 0.9], [0.78, 0.9])
    first, second = found.tasks
    assert (first.name, first.metric, first.test_clips, first.test_groups) == ("a", "accuracy", CLIPS, None)
    assert (first.baseline, first.final, first.reduction) == pytest.approx((0.8, 0.78, 0.025))
    assert first.lower is not None
    assert first.upper is not None
    assert first.lower < 0.025 < first.upper
    assert second.reduction == 0.0
    assert found.ar == pytest.approx(0.025)
    low, high = found.interval
    assert 0 <= low <= found.ar < first.upper < high


def test_a_task_that_shares_nothing_loses_nothing_for_sure() -> None:
    first, second = reading([0.8, 0.5], [0.8, 0.5], alone=frozenset("ab")).tasks
    assert (first.reduction, first.lower, first.upper) == (second.reduction, second.lower, second.upper) == (0, 0, 0)
    assert judge([first, second], 0.0) is FinalVerdict.VERIFIED


def test_a_task_at_chance_is_listed_and_no_part_of_the_ar() -> None:
    found = reading([0.8, 0.2], [0.8, 0.1], alone=frozenset("a"), at_chance=frozenset("b"))
    second = found.tasks[1]
    assert second.at_chance
    assert (second.baseline, second.final) == pytest.approx((0.2, 0.1))
    assert (second.reduction, second.upper) == (None, None)
    assert found.ar == 0.0
    assert found.interval == (0.0, 0.0)


def test_each_further_task_widens_lower_bounds_alone() -> None:
    (alone,) = reading([0.8], [0.7]).tasks
    first = reading([0.8, 0.8, 0.8], [0.7, 0.8, 0.8]).tasks[0]
    assert alone.lower is not None
    assert first.lower is not None
    assert first.lower < alone.lower
    assert first.upper == pytest.approx(alone.upper, rel=0.02)


def test_with_several_seeds_their_noise_counts() -> None:
    seeds = [outcomes(share, CLIPS) for share in (0.76, 0.84)]
    noise = SeedNoise.pool([Repeats.of("accuracy", seeds)])
    one = replace(reading([0.8], [0.79]), baselines={"a": seeds})
    (fixed,), (moving,) = one.tasks, replace(one, noise=noise).tasks
    assert fixed.baseline == moving.baseline == pytest.approx(0.8)
    assert fixed.upper is not None
    assert moving.upper is not None
    assert moving.upper > fixed.upper + 0.05


def test_a_study_in_which_no_task_learnt_anything_says_what_may_help() -> None:
    spec = make_spec(2)

    def evidence(*accuracies: float) -> Evidence:
        trained = zip("ab", accuracies, strict=True)
        return Evidence(spec, [finished(Training(BranchTree.flat(t, 8, 8)), measurement({t: at})) for t, at in trained])

    check_above_chance(evidence(0.2, 0.8), spec)
    with pytest.raises(
        TrainingFailed, match=r"no task learnt anything: .*a 20\.0 % accuracy, b 18\.0 % accuracy.*epochs"
    ):
        check_above_chance(evidence(0.2, 0.18), spec)


def test_a_task_whose_baseline_is_0_in_a_split_is_kept_apart() -> None:
    found = reading([0.8, 0.0], [0.8, 0.3])
    second = found.tasks[1]
    assert (second.at_chance, second.reduction) == (True, None)
    assert (found.reductions, found.ar) == ({"a": 0.0}, 0.0)
    assert judge(found.tasks, 0.05) is judge(found.tasks[:1], 0.05)


def test_an_error_that_grows_is_a_loss() -> None:
    spec = make_spec(1)
    task = spec.tasks[0].model_copy(update={"metric": "mean_absolute_error"})
    truth = np.linspace(0, 9, CLIPS)
    alone, here = (
        {"a": [Outcomes({VALUES: Table.of(np.arange(CLIPS), 0 * truth, truth, truth + error, 0 * truth + 1)})]}
        for error in (0.5, 0.6)
    )
    spec = spec.model_copy(update={"tasks": (task,)})
    found = Reading(spec, alone, here, {"speech": None}, alone=frozenset(), at_chance=frozenset())
    assert found.ar == pytest.approx(0.2, rel=1e-3)
    (result,) = found.tasks
    assert result.upper is not None
    assert result.upper > 0.2
