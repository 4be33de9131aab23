"""Ids and cursors: pure functions of the store."""

from contextlib import suppress

from hypothesis import given
from hypothesis import strategies as st

from taskgraft.errors import InvalidInput
from taskgraft.search.store.rows import is_id, new_id
from taskgraft.search.store.studies import from_cursor, to_cursor

DIGITS = "0123456789abcdefghjkmnpqrstvwxyz"


def test_ids_are_unique_and_need_no_quoting_in_a_path() -> None:
    ids = {new_id() for _ in range(1000)}
    assert len(ids) == 1000
    assert all(is_id(one) and one.isalnum() and one.islower() for one in ids)


def test_an_id_tells_its_time_in_its_first_digits() -> None:
    first, second = new_id(), new_id()
    assert first[:5] == second[:5]
    assert first[:11] <= second[:11]


@given(st.text(DIGITS, min_size=16, max_size=16))
def test_a_cursor_gives_its_id_back(study_id: str) -> None:
    assert from_cursor(to_cursor(study_id)) == study_id


@given(st.text())
def test_no_other_text_becomes_an_id(cursor: str) -> None:
    with suppress(InvalidInput):
        assert is_id(from_cursor(cursor))
