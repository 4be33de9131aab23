"""The short form of `tests.faults.malformed`."""

import pytest

from tests.faults.malformed import KINDS, throw


@pytest.mark.parametrize("kind", KINDS)
def test_malformed_input_is_refused_clearly(kind: str) -> None:
    throw(kind, examples=60)
