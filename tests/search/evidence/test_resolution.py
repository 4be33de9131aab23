import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from taskgraft.errors import InvalidInput
from taskgraft.evaluators.measurement import Outcomes
from taskgraft.search.evidence.resolution import (
    TestSize,
    clips_needed,
    guess_disagreement,
    measure_disagreement,
    resolve,
    smallest_threshold,
    warnings,
)
from tests.search.worlds import outcomes

SHARES = st.floats(0.05, 1.0)


@pytest.mark.parametrize(
    ("baseline", "disagreement", "clips", "percent"),
    [
        (0.98, 0.022, 150, 5.2),
        (0.98, 0.022, 750, 2.0),
        (0.98, 0.022, 2000, 1.2),
        (0.90, 0.087, 750, 4.1),
        (0.90, 0.087, 2000, 2.5),
    ],
)
def test_the_smallest_threshold_is_the_one_worked_out_for_five_tasks(
    baseline: float, disagreement: float, clips: int, percent: float
) -> None:
    assert round(100 * smallest_threshold(clips, baseline, disagreement, 5), 1) == percent


@given(SHARES, SHARES, st.integers(1, 64), st.floats(1e-3, 0.5))
def test_the_clips_needed_are_the_fewest_that_do(b: float, d: float, tasks: int, threshold: float) -> None:
    needed = clips_needed(threshold, b, d, tasks)
    assert needed is not None
    assert smallest_threshold(needed, b, d, tasks) <= threshold
    assert needed == 1 or smallest_threshold(needed - 1, b, d, tasks) > threshold


@given(SHARES, SHARES, st.integers(1, 63), st.integers(2, 10_000))
def test_more_clips_decide_more_and_more_tasks_less(b: float, d: float, tasks: int, clips: int) -> None:
    here = smallest_threshold(clips, b, d, tasks)
    assert smallest_threshold(clips + 1, b, d, tasks) < here < smallest_threshold(clips, b, d, tasks + 1)


def test_no_number_of_clips_verifies_that_nothing_is_lost() -> None:
    assert clips_needed(0.0, 0.9, 0.1, 2) is None
    found = resolve("word", TestSize(100), 2, 0.0)
    assert "no number of clips would do" in (found.warning(0.0) or "")


def test_what_makes_no_sense_is_refused() -> None:
    for arguments in ((0, 0.9, 0.1, 2), (10, 0.0, 0.1, 2), (10, 1.1, 0.1, 2), (10, 0.9, -0.1, 2), (10, 0.9, 0.1, 0)):
        with pytest.raises(InvalidInput):
            smallest_threshold(*arguments)


def test_a_guess_passes_through_what_was_measured_elsewhere() -> None:
    assert guess_disagreement(0.98) == pytest.approx(0.022, abs=0.0005)
    assert guess_disagreement(0.90) == pytest.approx(0.087, abs=0.0005)
    guesses = [guess_disagreement(accuracy) for accuracy in np.linspace(0.3, 1.0, 20)]
    assert guesses == sorted(guesses, reverse=True)


def test_a_warning_names_the_task_and_the_clips_that_would_do() -> None:
    small, large = (resolve(name, TestSize(size), 4, 0.02) for name, size in (("word", 150), ("vad", 20_000)))
    (warning,) = warnings([small, large], 0.02)
    assert warning.startswith("word: 150 test clips are too few to verify a threshold of 2.00 %")
    assert f"about {small.clips_needed:,} clips would do" in warning
    assert "a guess until baselines are trained" in warning
    measured = resolve("word", TestSize(150), 4, 0.02, baseline=0.98, disagreement=0.02)
    assert "accuracy 98.0 %, two trainings differ on 2.0 % of the clips: measured on validation" in (
        measured.warning(0.02) or ""
    )


def test_clips_in_groups_tell_less() -> None:
    loose, tight, single = (
        resolve("word", size, 4, 0.02) for size in (TestSize(900), TestSize(900, 30), TestSize(9, 9))
    )
    assert tight.q_min > 1.5 * loose.q_min
    assert tight.clips_needed is not None
    assert loose.clips_needed is not None
    assert tight.clips_needed > 2 * loose.clips_needed
    assert single.q_min == resolve("word", TestSize(9), 4, 0.02).q_min
    assert "900 test clips in 30 groups" in (tight.warning(0.02) or "")


def test_disagreement_is_the_share_of_clips_that_one_of_two_gets_right() -> None:
    first, moved = outcomes(0.8, 50), outcomes(0.8, 50, shift=4)
    assert measure_disagreement("accuracy", first, [moved]) == pytest.approx(8 / 50)
    assert measure_disagreement("accuracy", first, [first]) == 0.0
    assert measure_disagreement("accuracy", first, [first, moved, moved]) == pytest.approx(8 / 50)
    assert measure_disagreement("accuracy", outcomes(0.8, 50), [outcomes(0.6, 50)]) == pytest.approx(10 / 50)
    assert measure_disagreement("accuracy", first, []) is None


def test_disagreement_of_frames_counts_parts_of_clips() -> None:
    def frames(right: int) -> Outcomes:
        clips = np.repeat(np.arange(40, dtype=np.int32), 2)
        counts = np.tile(np.array([right, 50 - right], np.int32), 40)
        return Outcomes.of_classes(clips, np.zeros(80, np.int32), np.tile(np.array([0, 1], np.int32), 40), counts)

    assert measure_disagreement("accuracy", frames(50), [frames(45)]) == pytest.approx(0.1**2)
