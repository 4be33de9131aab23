"""The text format of Prometheus."""

import math

from hypothesis import given
from hypothesis import strategies as st

from taskgraft.api.exposition import Histogram, Metric, Sample, gauge, gauges, render


def test_the_format() -> None:
    metrics = [
        gauge("queue", "Waiting.", 3),
        gauges("studies", "By state.", "state", {"running": 1, "failed": 0}),
        Metric("odd", "gauge", "Odd.", (Sample(0.5, (("path", 'a"b\\c\nd'), ("to", "{}"))),)),
    ]
    assert render(metrics) == (
        "# HELP queue Waiting.\n# TYPE queue gauge\nqueue 3\n"
        "# HELP studies By state.\n# TYPE studies gauge\n"
        'studies{state="running"} 1\nstudies{state="failed"} 0\n'
        "# HELP odd Odd.\n# TYPE odd gauge\n"
        'odd{path="a\\"b\\\\c\\nd",to="{}"} 0.5\n'
    )


@given(st.lists(st.floats(0, 4), max_size=30))
def test_a_histogram_counts_what_is_at_most_each_bound(values: list[float]) -> None:
    bounds = (0.5, 1.0, 2.0)
    histogram = Histogram("seconds", "Time.", bounds)
    for value in values:
        histogram.observe((("route", "/x"),), value)
    samples = histogram.metric().samples
    if not values:
        assert samples == ()
        return
    *buckets, total, count = samples
    assert [sample.labels for sample in buckets] == [
        (("route", "/x"), ("le", bound)) for bound in ("0.5", "1.0", "2.0", "+Inf")
    ]
    assert [sample.value for sample in buckets] == [
        sum(value <= bound for value in values) for bound in (*bounds, math.inf)
    ]
    assert (total.suffix, count.suffix, count.value) == ("_sum", "_count", len(values))
    assert math.isclose(total.value, math.fsum(values))
