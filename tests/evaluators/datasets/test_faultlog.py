import pickle

import pytest

from taskgraft.errors import MAX_FAULTS, Fault, InvalidInput
from taskgraft.evaluators.datasets.faultlog import FaultLog


def test_an_empty_log_raises_nothing() -> None:
    log = FaultLog()
    log.raise_if_any()
    assert log.faults == ()


def test_all_faults_are_raised_together_in_order() -> None:
    log = FaultLog()
    log.add("a:1", "first")
    log.extend([Fault("a:2", "second")])
    with pytest.raises(InvalidInput) as raised:
        log.raise_if_any()
    assert raised.value.faults == (Fault("a:1", "first"), Fault("a:2", "second"))


def test_a_flood_is_counted_but_not_kept() -> None:
    log, outer = FaultLog(), FaultLog()
    for line in range(MAX_FAULTS + 500):
        log.add(f"a:{line}", "bad")
    assert log.count == MAX_FAULTS + 500
    assert len(log.faults) == MAX_FAULTS
    outer.add("b", "bad")
    outer.include(log.error())
    error = outer.error()
    assert (outer.count, len(error.faults)) == (MAX_FAULTS + 501, MAX_FAULTS)
    assert error.listed()[-1] == Fault("", "and 501 more")
    assert str(error).startswith("b: bad; a:0: bad; ")
    assert str(error).endswith(f"; and {MAX_FAULTS + 491} more")
    again = pickle.loads(pickle.dumps(error))
    assert (again.faults, again.more) == (error.faults, error.more)


def test_a_full_log_has_no_closing_line() -> None:
    log = FaultLog()
    log.extend(Fault("a", "bad") for _ in range(MAX_FAULTS))
    assert len(log.error().listed()) == MAX_FAULTS
