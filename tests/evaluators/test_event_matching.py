from itertools import permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from taskgraft.errors import InvalidInput
from taskgraft.evaluators.event_matching import Event, detection_table, event_counts, segment_counts
from taskgraft.evaluators.metrics import measure
from taskgraft.evaluators.outcomes import EVENTS, SEGMENTS, Outcomes

DOG, CAT = 0, 1
REFERENCES = [Event(DOG, 1, 2), Event(DOG, 4, 4.5), Event(CAT, 0, 5)]
DETECTED = [Event(DOG, 1.15, 2.15), Event(DOG, 4, 4.8), Event(CAT, 0.1, 5.9)]
TIMES = st.integers(0, 20).map(lambda tenths: tenths / 10)


@st.composite
def events(draw: st.DrawFn) -> Event:
    onset, length = draw(TIMES), draw(TIMES)
    return Event(draw(st.integers(0, 1)), onset, onset + length)


def test_known_events_count_as_in_sed_eval() -> None:
    assert event_counts(REFERENCES, DETECTED, 2).tolist() == [[1, 1, 1, 0], [1, 0, 0, 0]]
    said = Outcomes({EVENTS: detection_table({7: event_counts(REFERENCES, DETECTED, 2)})})
    assert measure(said, "event_f1") == 0.75
    dog = Outcomes({EVENTS: detection_table({7: event_counts(REFERENCES, DETECTED, 1)})})
    assert measure(dog, "event_f1") == 0.5


def test_known_segments_count_as_in_sed_eval() -> None:
    counts = segment_counts(REFERENCES, DETECTED, 2, seconds=10)
    assert counts.tolist() == [[2, 0, 1, 7], [5, 0, 1, 4]]
    said = Outcomes({SEGMENTS: detection_table({7: counts})})
    assert measure(said, "segment_f1") == pytest.approx((0.8 + 10 / 11) / 2)


@given(st.lists(events(), max_size=3), st.lists(events(), max_size=3))
def test_as_many_events_are_matched_as_any_pairing_can(references: list[Event], detected: list[Event]) -> None:
    counts = event_counts(references, detected, 2)
    for label in range(2):
        real, found = ([one for one in every if one.label == label] for every in (references, detected))
        most = 0
        for order in permutations([*found, *[None] * len(real)], len(real)):
            pairs = zip(real, order, strict=True)
            most = max(most, sum(event_counts([a], [b], 2)[label, 0] for a, b in pairs if b is not None))
        nothing = int(not real and not found)
        assert counts[label].tolist() == [most, len(real) - most, len(found) - most, nothing]


@pytest.mark.parametrize(
    ("reference", "found", "hit"),
    [
        ((2.0, 3.0), (2.2, 3.0), True),
        ((2.0, 3.0), (2.21, 3.0), False),
        ((2.0, 3.0), (2.0, 3.2), True),
        ((2.0, 3.0), (2.0, 3.21), False),
        ((0.0, 5.0), (0.0, 6.0), True),
        ((0.0, 5.0), (0.0, 6.01), False),
    ],
)
def test_how_far_a_detection_may_be_off(reference: tuple[float, float], found: tuple[float, float], hit: bool) -> None:
    assert event_counts([Event(0, *reference)], [Event(0, *found)], 1)[0, 0] == hit


def test_a_detection_counts_once_though_it_fits_two_references() -> None:
    first, second, found = Event(0, 1.0, 2.0), Event(0, 1.1, 2.1), Event(0, 1.05, 2.05)
    assert event_counts([first, second], [found], 1).tolist() == [[1, 1, 0, 0]]
    # Taken greedily, the first would take the detection that the second needs.
    assert (
        event_counts([Event(0, 1.0, 2.0), Event(0, 0.7, 2.0)], [Event(0, 0.9, 2.0), Event(0, 1.2, 2.0)], 1)[0, 0] == 2
    )


@given(st.lists(events(), max_size=4))
def test_a_segment_is_active_if_it_is_touched(references: list[Event]) -> None:
    counts = segment_counts(references, [], 2, seconds=6)
    for label in range(2):
        mine = [one for one in references if one.label == label and one.length > 0]
        active = sum(any(one.onset < second + 1 and one.offset > second for one in mine) for second in range(6))
        assert counts[label, 1] >= active
        assert counts[label].sum() == 6


def test_every_clip_has_a_row() -> None:
    nothing = event_counts([], [], 2)
    table = detection_table({3: nothing, 5: event_counts([], DETECTED, 2)})
    assert np.unique(table.clips).tolist() == [3, 5]
    assert table.counts[table.clips == 3].tolist() == [1, 1]
    assert len(detection_table({}).clips) == 0


def test_what_is_no_event_is_refused() -> None:
    with pytest.raises(InvalidInput, match="onset <= offset"):
        Event(0, 2.0, 1.0)
