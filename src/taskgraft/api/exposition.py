"""Metrics in the text format of Prometheus (version 0.0.4), and counters that requests add to.

The format: https://prometheus.io/docs/instrumenting/exposition_formats/.
"""

import threading
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

MEDIA_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_ESCAPES = str.maketrans({"\\": r"\\", "\n": r"\n", '"': r"\""})

Labels = tuple[tuple[str, str], ...]
"""Names and values, in the order in which they are shown."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One number: ``suffix`` is what its name has behind that of the metric."""

    value: float
    labels: Labels = ()
    suffix: str = ""


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric, a ``gauge``, ``counter`` or ``histogram``, with what it means and its numbers."""

    name: str
    kind: str
    meaning: str
    samples: tuple[Sample, ...]


def gauge(name: str, meaning: str, value: float) -> Metric:
    """Return a metric of one number that may rise and fall."""
    return Metric(name, "gauge", meaning, (Sample(value),))


def gauges(name: str, meaning: str, label: str, values: Mapping[str, float]) -> Metric:
    """Return a metric of one number for each value of a label."""
    return Metric(name, "gauge", meaning, tuple(Sample(value, ((label, of),)) for of, value in values.items()))


def render(metrics: Iterable[Metric]) -> str:
    """Return metrics as Prometheus reads them."""
    return "".join(f"{line}\n" for metric in metrics for line in _lines(metric))


def _lines(metric: Metric) -> Iterator[str]:
    yield f"# HELP {metric.name} {metric.meaning}"
    yield f"# TYPE {metric.name} {metric.kind}"
    for sample in metric.samples:
        pairs = ",".join(f'{name}="{value.translate(_ESCAPES)}"' for name, value in sample.labels)
        yield f"{metric.name}{sample.suffix}{f'{{{pairs}}}' if pairs else ''} {sample.value!r}"


class Histogram:
    """How often something took how long, by labels. May be used from any thread."""

    def __init__(self, name: str, meaning: str, bounds: Sequence[float]) -> None:
        self._name = name
        self._meaning = meaning
        self._bounds = tuple(bounds)
        self._counts: dict[Labels, list[int]] = {}
        self._sums: dict[Labels, float] = {}
        self._change = threading.Lock()

    def observe(self, labels: Labels, value: float) -> None:
        """Count one more."""
        with self._change:
            counts = self._counts.setdefault(labels, [0] * (len(self._bounds) + 1))
            counts[bisect_left(self._bounds, value)] += 1
            self._sums[labels] = self._sums.get(labels, 0.0) + value

    def metric(self) -> Metric:
        """Return what was counted so far."""
        with self._change:
            samples = tuple(sample for labels in self._counts for sample in self._samples(labels))
        return Metric(self._name, "histogram", self._meaning, samples)

    def _samples(self, labels: Labels) -> Iterator[Sample]:
        total = 0
        for bound, count in zip((*self._bounds, "+Inf"), self._counts[labels], strict=True):
            total += count
            yield Sample(total, (*labels, ("le", str(bound))), "_bucket")
        yield Sample(self._sums[labels], labels, "_sum")
        yield Sample(total, labels, "_count")
