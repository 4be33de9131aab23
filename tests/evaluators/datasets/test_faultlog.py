import pytest

from taskgraft.errors import Fault, InvalidInput
from taskgraft.evaluators.datasets.faultlog import MAX_LISTED, FaultLog


def test_an_empty_log_raises_nothing() -> None:
    log = FaultLog()
    log.raise_if_any()
    assert log.listed() == ()


def test_all_faults_are_raised_together_in_order() -> None:
    log = FaultLog()
    log.add("a:1", "first")
    log.extend([Fault("a:2", "second")])
    with pytest.raises(InvalidInput) as raised:
        log.raise_if_any()
    assert raised.value.faults == (Fault("a:1", "first"), Fault("a:2", "second"))


def test_a_flood_is_counted_but_not_kept() -> None:
    log = FaultLog()
    for line in range(MAX_LISTED + 500):
        log.add(f"a:{line}", "bad")
    assert log.count == MAX_LISTED + 500
    assert len(log.listed()) == MAX_LISTED + 1
    assert log.listed()[-1].message == "1,500 faults in all; the first 1,000 are listed"


def test_a_full_log_has_no_closing_line() -> None:
    log = FaultLog()
    log.extend(Fault("a", "bad") for _ in range(MAX_LISTED))
    assert len(log.listed()) == MAX_LISTED
