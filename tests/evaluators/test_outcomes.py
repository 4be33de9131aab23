from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from taskgraft.errors import InvalidInput
from taskgraft.evaluators.outcomes import TABLES, Outcomes, Table

ROWS = st.lists(
    st.tuples(
        st.integers(0, 9),
        st.integers(0, 3),
        st.floats(width=32, allow_nan=False),
        st.floats(width=32, allow_nan=False),
        st.integers(0, 99),
    )
)


def table(rows: Sequence[tuple[float, ...]]) -> Table:
    return Table.of(*np.array(rows, float).reshape(-1, 5).T)


def columns(said: Table) -> list[list[float]]:
    return [part.tolist() for part in (said.clips, said.labels, said.truth, said.predicted, said.counts)]


@given(st.dictionaries(st.sampled_from(TABLES), ROWS.map(table), min_size=1))
def test_tables_survive_the_ledger(tables: dict[str, Table]) -> None:
    again = Outcomes.from_text(Outcomes(tables).to_text())
    assert list(again.tables) == list(tables) or again.is_plain
    for name, said in tables.items():
        kept = columns(again.tables[name])
        expected = columns(said)
        if again.is_plain and not all(value.is_integer() for value in [*said.truth, *said.predicted]):
            continue  # class answers are whole numbers
        assert kept == expected


def test_the_text_of_class_answers_is_that_of_earlier_versions() -> None:
    text = "c-muNU|?VbVkQO%V1!}@G#Z3iffxV*BmfQ"
    columns_then = [[0, 1, 2], [0, 1, 1], [0, 1, 0], [1, 1, 5]]
    assert Outcomes.of_classes(*columns_then).to_text() == text
    assert Outcomes.from_text(text).to_plain_array().tolist() == columns_then


def test_clips_are_those_of_all_tables() -> None:
    said = Outcomes({"events": table([(3, 0, 1, 1, 1)]), "segments": table([(3, 0, 1, 1, 1), (1, 0, 0, 0, 1)])})
    assert said.clips.tolist() == [1, 3]
    assert said.clip_count == 2


def test_what_is_no_table_is_refused() -> None:
    with pytest.raises(InvalidInput, match="one length"):
        Table.of([0, 1], [0], [0], [0], [0])
    with pytest.raises(InvalidInput, match="0 or more"):
        Table.of([-1], [0], [0], [0], [1])
    with pytest.raises(InvalidInput, match="got guesses"):
        Outcomes({"guesses": table([])})
    with pytest.raises(InvalidInput, match="got none"):
        Outcomes({})
    with pytest.raises(InvalidInput, match="got guesses"):
        Outcomes.from_text(Outcomes({"scores": table([])}).to_text().replace("scores", "guesses"))
